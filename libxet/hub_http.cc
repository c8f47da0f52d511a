#include "libxet/hub_http.h"

#include <fmt/format.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/bytes.h"
#include "base/random.h"
#include "cas/call.h"
#include "net/url.h"
#include "session/wait.h"

namespace xet {

namespace {

/// False when `stop` fired meanwhile.
bool sleep_for(std::chrono::milliseconds duration, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, stop, duration, [] { return false; });
  return !stop.stop_requested();
}

/// Scheme, host and port; a URL without a path is all origin.
std::string_view origin_of(std::string_view url) {
  const size_t slashes = url.find("://");
  if (slashes == std::string_view::npos) return {};
  return url.substr(0, std::min(url.find_first_of("/?#", slashes + 3), url.size()));
}

/// The Hub's own words: its header, else the "error" of its JSON.
std::optional<std::string> told_by_hub(const net::Response& response) {
  if (const auto text = net::find_header(response.head.headers, "X-Error-Message")) return std::string(*text);
  const auto json = nlohmann::json::parse(as_chars(response.body), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return std::nullopt;
  const auto error = json.find("error");
  if (error == json.end() || !error->is_string()) return std::nullopt;
  return error->get<std::string>();
}

bool may_pass(const net::Outcome& outcome) {
  const auto verdict = outcome ? net::judge(net::Route::kToken, outcome->head.status)
                               : net::judge(net::Route::kToken, outcome.error().fault);
  return verdict == net::Verdict::kRetry;
}

/// The Hub surely did nothing of what was asked for.
bool nothing_was_done(const net::Outcome& outcome) {
  if (outcome) return outcome->head.status == 429 || outcome->head.status == 503;
  const auto fault = outcome.error().fault;
  return fault == net::Fault::kResolve || fault == net::Fault::kConnect || fault == net::Fault::kTls;
}

}  // namespace

net::Outcome HubHttp::exchange(const HubRequest& request, const std::string& url,
                               const std::stop_token& stop) const {
  net::Request out;
  out.method = request.method;
  out.url = url;
  out.headers = options_.headers;
  out.headers.insert(out.headers.end(), request.headers.begin(), request.headers.end());
  if (!options_.token.empty()) out.headers.push_back({"Authorization", "Bearer " + options_.token});
  if (!request.content_type.empty()) {
    out.headers.push_back({"Content-Type", request.content_type});
    out.has_body = true;
    out.body = {as_byte_span(request.body)};
  }
  out.patience = net::patience_for(net::Route::kToken);
  out.max_body_bytes = request.max_body_bytes;
  session::Waiter<net::Outcome> waiter;
  options_.transport->start(std::move(out), stop, [done = waiter.callback()](net::Outcome outcome) mutable {
    done(std::move(outcome));
  });
  return *waiter.wait();
}

Error HubHttp::error_of(const net::Response& response) const {
  Error error = cas::status_error(response, options_.token);
  const auto text = told_by_hub(response);
  const bool is_secret = text && !options_.token.empty() && text->find(options_.token) != text->npos;
  if (text && !text->empty() && !is_secret)
    error.message = fmt::format("{}: {}", response.head.status, cas::one_line(*text));
  return error;
}

Result<net::Response> HubHttp::call(HubRequest request, const std::stop_token& stop) const {
  const std::string url = request.url.starts_with('/') ? options_.url + request.url : request.url;
  const std::string label = fmt::format("{} {}", request.method, net::without_secrets(url));
  if (origin_of(url) != origin_of(options_.url))
    return fail(ErrorCode::kCorruption, fmt::format("{}: the Hub led to another host than its own", label));
  for (size_t nth = 1;; ++nth) {
    auto outcome = exchange(request, url, stop);
    if (outcome && outcome->is_success()) return *std::move(outcome);
    Error error = outcome ? error_of(*outcome) : outcome.error().error;  // the latter names the request
    if (outcome) error.message = fmt::format("{}: {}", label, error.message);
    if (error.code == ErrorCode::kCancelled) return tl::unexpected(std::move(error));
    const bool may_repeat =
        may_pass(outcome) && (request.repeat == Repeat::kWheneverItFailed || nothing_was_done(outcome));
    if (!may_repeat || nth > options_.retry.max_retries) {
      return tl::unexpected(std::move(error));
    }
    std::optional<std::chrono::milliseconds> asked;
    if (outcome) asked = net::retry_after(outcome->head.headers, std::chrono::system_clock::now());
    const auto pause = options_.retry.sleep(nth, random_fraction(), asked);
    if (options_.on_trouble) {
      options_.on_trouble(fmt::format("{}; trying again in {:.1f} s ({} of {})", error.message,
                                      std::chrono::duration<double>(pause).count(), nth,
                                      options_.retry.max_retries));
    }
    if (!sleep_for(pause, stop)) return fail(ErrorCode::kCancelled, "cancelled");
  }
}

}  // namespace xet
