#include "cas/shard_upload.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "cas/call.h"
#include "cas/json_members.h"
#include "cas/ndjson.h"

namespace xet::cas {

using net::Route;
using net::Verdict;

namespace {

// Of an answer that goes on after it has said how the upload ended.
constexpr size_t kMaxSurplus = 64 << 10;

/// Reads the frames as they come.
class FrameSink final : public net::ResponseSink {
 public:
  Status begin(const net::ResponseHead& /*head*/) override { return {}; }
  MutableByteSpan room(UniqueFunction<void()> /*resume*/) override { return buffer_; }
  Status filled(size_t n_bytes) override {
    if (outcome_) {
      surplus_ += n_bytes;
      if (surplus_ > kMaxSurplus) return fail(ErrorCode::kCorruption, "the answer does not end");
      return {};
    }
    XET_TRY(outcome_, parser_.push(ByteSpan(buffer_).first(n_bytes)));
    return {};
  }

  /// Once the exchange is over; `is_complete`: the body came to its end.
  Result<std::optional<ShardOutcome>> outcome(bool is_complete) {
    if (!outcome_ && is_complete) {
      XET_TRY(outcome_, parser_.finish());
    }
    return outcome_;
  }

 private:
  std::array<std::byte, 16384> buffer_;
  ShardFrameParser parser_;
  std::optional<ShardOutcome> outcome_;
  size_t surplus_ = 0;
};

/// What a refusal means for the upload: cached shards may be out of date.
Error with_missing_xorb(Error error, std::string_view text) {
  if (error.code != ErrorCode::kRefused && error.code != ErrorCode::kNotFound) return error;
  error.code = says_xorb_is_missing(text) ? ErrorCode::kNotFound : ErrorCode::kRefused;
  return error;
}

std::optional<Judgement> judge_stream(FrameSink& sink, const net::Outcome& outcome, Route route) {
  if (outcome && !outcome->is_success()) {
    auto error = status_error(*outcome, {});
    // Not "no such route", though the status may say so.
    const auto text = as_chars(outcome->body);
    if (outcome->head.status == 404 && says_xorb_is_missing(text))
      return Judgement{Verdict::kFatal, std::move(error)};
    return std::nullopt;
  }
  const auto ended = sink.outcome(outcome.has_value());
  if (!ended) return Judgement{Verdict::kFatal, ended.error()};
  if (!*ended) {
    if (outcome.error().fault == net::Fault::kRefusedByReceiver)
      return Judgement{Verdict::kFatal, outcome.error().error};
    return Judgement{net::judge(route, outcome.error().fault), outcome.error().error};
  }
  if ((*ended)->is_success) return Judgement{};
  const auto text = one_line((*ended)->message);
  if ((*ended)->is_retryable) return Judgement{Verdict::kRetry, {ErrorCode::kUnavailable, text}};
  return Judgement{Verdict::kFatal, with_missing_xorb({ErrorCode::kRefused, text}, text)};
}

/// Leaves all to the rules but the code of a refusal.
std::optional<Judgement> judge_refusal(const net::Outcome& outcome, Route route) {
  if (!outcome || outcome->is_success()) return std::nullopt;
  const auto verdict = net::judge(route, outcome->head.status);
  if (verdict != Verdict::kFatal) return std::nullopt;
  return Judgement{verdict, with_missing_xorb(status_error(*outcome, {}), as_chars(outcome->body))};
}

}  // namespace

bool says_xorb_is_missing(std::string_view text) {
  std::string lower(text.substr(0, size_t{4} << 10));
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (lower.find("xorb") == std::string::npos) return false;
  constexpr std::array<std::string_view, 9> kWords{"not found",     "notfound",   "missing",
                                                   "unknown",       "not exist",  "no such",
                                                   "does not have", "not stored", "not in the store"};
  return std::any_of(kWords.begin(), kWords.end(),
                     [&](std::string_view word) { return lower.find(word) != std::string::npos; });
}

ShardUpload::ShardUpload(HttpContext& context, ByteVector shard, std::stop_token stop, Callback<void> done)
    : context_(context),
      in_flight_(context.in_flight.token()),
      shard_(std::move(shard)),
      stop_(std::move(stop)),
      done_(std::move(done)) {}

void ShardUpload::start(HttpContext& context, ByteVector shard, std::stop_token stop, Callback<void> done) {
  const auto upload = std::make_shared<ShardUpload>(context, std::move(shard), stop, std::move(done));
  context.uploads.acquire(std::move(stop), [upload](net::Permit permit) {
    if (!permit) return upload->finish(fail(ErrorCode::kCancelled, "cancelled"));
    upload->permit_ = std::move(permit);
    const auto forced = upload->context_.options.shard_api_version;
    const bool is_v1 = forced ? *forced == 1 : upload->context_.shards_are_v1.load();
    is_v1 ? upload->send_v1() : upload->send_v2();
  });
}

net::Request ShardUpload::make_request(std::string_view path) const {
  net::Request request;
  request.method = "POST";
  request.url = context_.url(path);
  request.body = {ByteSpan(shard_)};
  request.has_body = true;
  return request;
}

void ShardUpload::send_v2() {
  CallPlan plan;
  plan.route = Route::kShardV2;
  plan.label = "POST /v2/shards";
  plan.permit = &permit_;
  auto sink = std::make_shared<std::shared_ptr<FrameSink>>();  // of the attempt under way
  plan.request = [self = shared_from_this(), sink] {
    auto request = self->make_request("/v2/shards");
    *sink = std::make_shared<FrameSink>();
    request.sink = *sink;
    return request;
  };
  plan.judge = [sink](net::Outcome& outcome) -> std::optional<Judgement> {
    if (auto judgement = judge_stream(**sink, outcome, Route::kShardV2)) return judgement;
    return judge_refusal(outcome, Route::kShardV2);
  };
  Call::start(context_, std::move(plan), stop_, [self = shared_from_this()](CallEnd end) {
    if (end.verdict == Verdict::kSuccess) return self->finish({});
    if (end.verdict == Verdict::kFallBack && !self->context_.options.shard_api_version)
      return self->send_v1();
    self->finish(tl::unexpected(std::move(end.error)));
  });
}

void ShardUpload::send_v1() {
  CallPlan plan;
  plan.route = Route::kShardV1;
  plan.label = "POST /v1/shards";
  plan.permit = &permit_;
  plan.request = [self = shared_from_this()] { return self->make_request("/v1/shards"); };
  plan.judge = [](net::Outcome& outcome) -> std::optional<Judgement> {
    if (!outcome || !outcome->is_success()) return judge_refusal(outcome, Route::kShardV1);
    const auto answer = JsonMembers::parse(outcome->body, "the answer to a shard");
    const auto result = answer ? answer->number("result") : Result<uint64_t>(tl::unexpected(answer.error()));
    if (!result) return Judgement{Verdict::kRetry, result.error()};
    if (*result <= 1) return Judgement{};  // known before, or registered
    return Judgement{Verdict::kRetry,
                     {ErrorCode::kCorruption, fmt::format("the answer to a shard is {}", *result)}};
  };
  Call::start(context_, std::move(plan), stop_, [self = shared_from_this()](CallEnd end) {
    if (end.verdict != Verdict::kSuccess) return self->finish(tl::unexpected(std::move(end.error)));
    if (!self->context_.options.shard_api_version) self->context_.shards_are_v1.store(true);
    self->finish({});
  });
}

void ShardUpload::finish(Status outcome) {
  permit_.release();
  const auto in_flight = std::exchange(in_flight_, std::nullopt);
  auto done = std::move(done_);
  done(std::move(outcome));
}

}  // namespace xet::cas
