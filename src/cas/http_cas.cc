#include "cas/http_cas.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/random.h"
#include "cas/call.h"
#include "cas/context.h"
#include "cas/endpoint_tag.h"
#include "cas/multirange_fetch.h"
#include "cas/queries.h"
#include "cas/session_id.h"
#include "cas/shard_upload.h"
#include "cas/xorb_upload.h"

namespace xet::cas {

namespace {

class HttpCas final : public Cas {
 public:
  explicit HttpCas(std::unique_ptr<HttpContext> context) : context_(std::move(context)) {
    const auto& options = context_->options;
    name_ = options.name.empty() ? options.endpoint : options.name;
  }
  ~HttpCas() override { context_->in_flight.wait(); }

  const std::string& name() const override { return name_; }
  ShardPlaces shard_places() const override {
    const auto& options = context_->options;
    if (options.cache_root.empty()) return {};
    const auto directory = options.cache_root / endpoint_tag(options.endpoint);
    return {.cache = directory / "shard-cache", .staging = directory / "staging"};
  }
  size_t max_fetches() const override { return std::max<size_t>(context_->options.downloads.max, 1); }

  void file_size(const FileHash& file, std::stop_token stop, Callback<uint64_t> done) override {
    ask_file_size(*context_, file, stop, std::move(done));
  }
  void reconstruct(const FileHash& file, std::optional<ByteRange> range, std::stop_token stop,
                   Callback<Reconstruction> done) override {
    ask_reconstruction(*context_, file, range, stop, std::move(done));
  }
  void fetch(FetchRequest request, std::stop_token stop, Callback<void> done) override {
    start_fetch(*context_, std::move(request), std::move(stop), std::move(done));
  }
  void query_dedup(const ChunkHash& chunk, std::stop_token stop,
                   Callback<std::optional<ByteVector>> done) override {
    if (!context_->options.ask_for_dedup) return done(std::nullopt);
    ask_dedup(*context_, chunk, std::move(stop), std::move(done));
  }
  void xorb_exists(const XorbHash& xorb, std::stop_token stop, Callback<bool> done) override {
    ask_xorb_exists(*context_, xorb, std::move(stop), std::move(done));
  }
  void put_xorb(XorbBody body, std::stop_token stop, Callback<PutXorbOutcome> done) override {
    XorbUpload::start(*context_, std::move(body), std::move(stop), std::move(done));
  }
  void put_shard(ByteVector shard, std::stop_token stop, Callback<void> done) override {
    ShardUpload::start(*context_, std::move(shard), std::move(stop), std::move(done));
  }

 private:
  std::unique_ptr<HttpContext> context_;
  std::string name_;
};

tl::unexpected<Error> bad(std::string message) {
  return fail(ErrorCode::kInvalidArgument, std::move(message));
}

bool is_http(std::string_view url) {
  return (url.starts_with("http://") || url.starts_with("https://")) &&
         std::all_of(url.begin(), url.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

Status check(const HttpCasOptions& options) {
  if (options.transport == nullptr || options.clock == nullptr)
    return bad("a transport and a clock are needed");
  const auto& credentials = options.credentials;
  if (options.endpoint.empty() && credentials.refresh_url.empty()) return bad("no endpoint was given");
  if (!options.endpoint.empty() && !is_http(options.endpoint))
    return bad(fmt::format("{} is no http(s) URL", one_line(options.endpoint)));
  if (!credentials.refresh_url.empty() && !is_http(credentials.refresh_url))
    return bad("the URL for access tokens is no http(s) URL");
  if (credentials.token) XET_TRY_STATUS(check_token_text(credentials.token->text));
  for (const auto version : {options.reconstruction_api_version, options.shard_api_version}) {
    if (version && *version != 1 && *version != 2)
      return bad(fmt::format("there is no version {} of the protocol", *version));
  }
  return {};
}

TokenSource::Refresh refresh_of(HttpContext& context) {
  const auto& credentials = context.options.credentials;
  if (credentials.refresh) {
    return [&context](const std::stop_token& /*cannot be stopped*/, Callback<AccessToken> done) {
      context.submit([&context, token = context.in_flight.token(), done = std::move(done)]() mutable {
        done(context.options.credentials.refresh());
      });
    };
  }
  if (credentials.refresh_url.empty()) return {};
  return [&context](std::stop_token stop, Callback<AccessToken> done) {
    ask_token(context, std::move(stop), [done = std::move(done)](Result<TokenAnswer> answer) mutable {
      if (!answer) return done(tl::unexpected(std::move(answer).error()));
      done(std::move(answer->token));
    });
  };
}

/// Waits for the first answer of the refresh URL.
Result<TokenAnswer> ask_now(HttpContext& context, std::stop_token stop) {
  Sync<std::optional<Result<TokenAnswer>>> place;
  std::condition_variable came;
  ask_token(context, std::move(stop), [&](Result<TokenAnswer> answer) {
    auto result = place.lock();
    result->emplace(std::move(answer));
    came.notify_all();
  });
  auto result = place.lock();
  result.wait(came, [&] { return result->has_value(); });
  return std::move(**result);
}

}  // namespace

Result<std::unique_ptr<Cas>> open_http_cas(HttpCasOptions options, std::stop_token stop) {
  XET_TRY_STATUS(check(options));
  if (!options.random) options.random = random_fraction;
  if (options.session_id.empty())
    options.session_id = make_session_id(options.clock->wall_now(), options.random);
  auto context = std::make_unique<HttpContext>(std::move(options));
  if (context->options.endpoint.empty()) {
    auto answer = ask_now(*context, std::move(stop));
    context->in_flight.wait();
    if (!answer) return tl::unexpected(std::move(answer).error());
    if (!is_http(answer->cas_url))
      return fail(ErrorCode::kCorruption,
                  "the answer for an access token names a CAS that is no http(s) URL");
    context->options.endpoint = std::move(answer->cas_url);
    if (!context->options.credentials.token) context->options.credentials.token = std::move(answer->token);
  }
  context->tokens = std::make_unique<TokenSource>(context->options.credentials.token, refresh_of(*context),
                                                  *context->options.clock);
  return std::make_unique<HttpCas>(std::move(context));
}

}  // namespace xet::cas
