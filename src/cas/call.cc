#include "cas/call.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "net/url.h"

namespace xet::cas {

using net::Verdict;

namespace {

constexpr uint64_t kGoodProgress = uint64_t{1} << 20;

Error cancelled() {
  return {ErrorCode::kCancelled, "cancelled"};
}

std::string_view reason_of(int status) {
  switch (status) {
    case 400:
      return " Bad Request";
    case 401:
      return " Unauthorized";
    case 403:
      return " Forbidden";
    case 404:
      return " Not Found";
    case 408:
      return " Request Timeout";
    case 409:
      return " Conflict";
    case 413:
      return " Content Too Large";
    case 416:
      return " Range Not Satisfiable";
    case 429:
      return " Too Many Requests";
    case 500:
      return " Internal Server Error";
    case 501:
      return " Not Implemented";
    case 502:
      return " Bad Gateway";
    case 503:
      return " Service Unavailable";
    case 504:
      return " Gateway Timeout";
    case 507:
      return " Insufficient Storage";
    default:
      return "";
  }
}

ErrorCode code_of(int status) {
  switch (status) {
    case 401:
    case 403:
      return ErrorCode::kUnauthorized;
    case 404:
    case 410:
      return ErrorCode::kNotFound;
    case 408:
    case 429:
      return ErrorCode::kUnavailable;
    case 501:
    case 507:
      return ErrorCode::kRefused;
    default:
      if (status >= 500 && status < 600) return ErrorCode::kUnavailable;
      return status >= 400 && status < 500 ? ErrorCode::kRefused : ErrorCode::kCorruption;
  }
}

net::TransferEnd end_of(const net::Outcome& outcome, Verdict verdict) {
  if (!outcome) {
    const auto fault = outcome.error().fault;
    const bool is_slow = fault == net::Fault::kNoAnswer || fault == net::Fault::kStalled;
    return is_slow ? net::TransferEnd::kStalled : net::TransferEnd::kFailed;
  }
  const int status = outcome->head.status;
  if (status == 429 || status == 503) return net::TransferEnd::kThrottled;
  return verdict == Verdict::kSuccess ? net::TransferEnd::kOk : net::TransferEnd::kFailed;
}

}  // namespace

Error status_error(const net::Response& response, std::string_view secret) {
  const int status = response.head.status;
  std::string message = fmt::format("{}{}", status, reason_of(status));
  const auto type = net::find_header(response.head.headers, "Content-Type").value_or("");
  const auto body = as_chars(response.body);
  const bool may_be_told =
      type.find("html") == std::string_view::npos && (secret.empty() || body.find(secret) == body.npos);
  if (const auto text = one_line(body); may_be_told && !text.empty()) message += ": " + text;
  return {code_of(status), std::move(message), status};
}

void Call::start(HttpContext& context, CallPlan plan, std::stop_token stop,
                 UniqueFunction<void(CallEnd)> done) {
  const auto call = std::make_shared<Call>(context, std::move(plan), std::move(stop), std::move(done));
  call->on_stop_.emplace(call->stop_, OnStop{call});
  call->attempt();
}

// --- Waiting

bool Call::begin_wait() {
  {
    auto phase = phase_.lock();
    if (!stop_.stop_requested()) {
      *phase = Phase::kWaiting;
      return true;
    }
    *phase = Phase::kOver;
  }
  finish({Verdict::kFatal, cancelled()});
  return false;
}

bool Call::end_wait() {
  auto phase = phase_.lock();
  if (*phase != Phase::kWaiting) return false;
  *phase = Phase::kBusy;
  return true;
}

void Call::stopped() {
  {
    auto phase = phase_.lock();
    if (*phase != Phase::kWaiting) return;  // an exchange ends by itself, and before a wait the token is seen
    *phase = Phase::kOver;
  }
  finish({Verdict::kFatal, cancelled()});
}

// --- One attempt

void Call::attempt() {
  if (!plan_.authorized || !context_.tokens->is_used()) {
    if (stop_.stop_requested()) return finish({Verdict::kFatal, cancelled()});
    return send({});
  }
  if (!begin_wait()) return;
  // A stop ends this call's wait here; the shared flight goes on for the others.
  context_.tokens->get(stop_, [self = shared_from_this()](Result<std::string> token) {
    if (!self->end_wait()) return;
    if (token) return self->send(*token);
    self->finish({Verdict::kFatal, fail(token.error(), self->where()).value()});
  });
}

void Call::send(const std::string& token) {
  token_ = token;
  sent_bytes_ = 0;
  auto request = plan_.request();
  host_ = net::host_of(request.url);
  if (!token.empty()) request.headers = merged(request.headers, {{"Authorization", "Bearer " + token}});
  request.headers = merged(plan_.has_standing_headers ? context_.standing : context_.session_header,
                           std::move(request.headers));
  request.patience = net::patience_for(plan_.route, context_.options.patience);
  if (plan_.permit != nullptr) {
    plan_.permit->begin();
    if (request.has_body) {
      request.on_sent = [self = shared_from_this()](uint64_t total) {
        if (total > self->sent_bytes_) self->plan_.permit->moved(total - self->sent_bytes_);
        self->sent_bytes_ = total;
        if (self->plan_.on_sent) self->plan_.on_sent(total);
      };
    }
  }
  context_.options.transport->start(
      std::move(request), stop_,
      [self = shared_from_this()](net::Outcome outcome) { self->received(std::move(outcome)); });
}

void Call::received(net::Outcome outcome) {
  if (!outcome && outcome.error().fault == net::Fault::kCancelled)
    return finish({Verdict::kFatal, cancelled()});
  auto judge = [self = shared_from_this(), outcome = std::move(outcome)]() mutable {
    const auto* head = outcome ? &outcome->head : (outcome.error().head ? &*outcome.error().head : nullptr);
    std::optional<std::chrono::milliseconds> wait;
    if (head != nullptr) wait = net::retry_after(head->headers, self->context_.options.clock->wall_now());
    const int status = outcome ? outcome->head.status : 0;
    auto judgement = self->plan_.judge ? self->plan_.judge(outcome) : std::nullopt;
    if (!judgement) judgement = self->by_the_rules(outcome);
    if (self->plan_.permit != nullptr) self->plan_.permit->end(end_of(outcome, judgement->verdict));
    self->act(std::move(*judgement), wait, status);
  };
  if (plan_.judges_on_pool) return context_.submit(std::move(judge));
  judge();
}

Judgement Call::by_the_rules(const net::Outcome& outcome) const {
  if (!outcome) return {net::judge(plan_.route, outcome.error().fault), outcome.error().error};
  const auto verdict = net::judge(plan_.route, outcome->head.status);
  if (verdict == Verdict::kSuccess) return {};
  return {verdict, status_error(*outcome, token_)};
}

std::string Call::where() const {
  if (host_.empty() || plan_.label.find(host_) != plan_.label.npos) return plan_.label;
  return fmt::format("{} at {}", plan_.label, host_);
}

// --- What comes of it

void Call::act(Judgement judgement, const std::optional<std::chrono::milliseconds>& retry_after, int status) {
  switch (judgement.verdict) {
    case Verdict::kRetry:
      return retry(std::move(judgement.error), retry_after, status);
    case Verdict::kRefreshUrl:
      return refresh_url(std::move(judgement.error), retry_after, status);
    case Verdict::kRefreshToken:
      if (!token_.empty() && !std::exchange(token_was_refreshed_, true) && context_.tokens->refused(token_))
        return attempt();
      judgement.verdict = Verdict::kFatal;
      break;
    default:
      break;
  }
  if (judgement.verdict != Verdict::kSuccess)
    judgement.error.message = fmt::format("{}: {}", where(), judgement.error.message);
  finish(std::move(judgement));
}

void Call::retry(Error error, const std::optional<std::chrono::milliseconds>& retry_after, int status) {
  const uint64_t progress = plan_.progress_bytes ? plan_.progress_bytes() : 0;
  if (progress > 0) n_retries_ = 0;
  if (progress >= kGoodProgress && !retry_after) return attempt();
  const auto& ladder = context_.options.retry;
  const size_t max_retries = std::min(ladder.max_retries, plan_.max_retries.value_or(SIZE_MAX));
  if (n_retries_ >= max_retries) {
    const auto verdict = net::after_retries(plan_.route, status);
    error.message = fmt::format("{}: {} ({} attempts)", where(), error.message, n_retries_ + 1);
    return finish({verdict, std::move(error)});
  }
  ++n_retries_;
  const auto sleep = ladder.sleep(n_retries_, context_.options.random(), retry_after);
  context_.trouble(fmt::format("{}: {}; trying again in {:.1f} s ({} of {})", where(), error.message,
                               std::chrono::duration<double>(sleep).count(), n_retries_, max_retries));
  if (!begin_wait()) return;
  context_.run_after(sleep, [self = shared_from_this()] {
    if (self->end_wait()) self->attempt();
  });
}

void Call::refresh_url(Error error, const std::optional<std::chrono::milliseconds>& retry_after, int status) {
  if (!plan_.refresh_url) return retry(std::move(error), retry_after, status);
  if (!begin_wait()) return;
  const auto refresh = plan_.refresh_url;  // a copy: the call may be over before this returns
  refresh(stop_, [self = shared_from_this(), error = std::move(error)](Status refreshed) mutable {
    if (!self->end_wait()) return;
    if (refreshed) return self->attempt();
    self->finish({Verdict::kFatal,
                  fail(refreshed.error(), fmt::format("{}: {}", self->where(), error.message)).value()});
  });
}

void Call::finish(CallEnd end) {
  const auto self = shared_from_this();
  on_stop_.reset();
  // What the plan refers to may be gone after the callback, while a timer still knows this call.
  plan_ = {};
  token_.clear();
  auto done = std::move(done_);
  done(std::move(end));
}

}  // namespace xet::cas
