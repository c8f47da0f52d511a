#include "cas/range_fetch.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "cas/call.h"
#include "cas/http_range.h"

namespace xet::cas {

using net::Verdict;

namespace {

// A storage that refuses so many fresh URLs in a row will refuse the next one.
constexpr size_t kMaxRefusals = 3;

tl::unexpected<Error> bad(std::string what) {
  return fail(ErrorCode::kCorruption, std::move(what));
}

}  // namespace

/// Takes the answer of one attempt: checks that it is what was asked for, drops what is delivered already.
class RangeFetch::Exchange final : public net::ResponseSink {
 public:
  Exchange(RangeFetch& fetch, const ByteRange& asked)
      : fetch_(fetch), asked_(asked), to_skip_(fetch.job_.at() - asked.begin) {}

  Status begin(const net::ResponseHead& head) override {
    std::optional<uint64_t> length;
    if (const auto text = net::find_header(head.headers, "Content-Length")) {
      length = parse_decimal(*text);
      if (!length) return bad("a Content-Length that is no number");
    }
    if (head.status == 206) return begin_partial(head, length);
    if (head.status != 200) return bad(fmt::format("status {} for a range", head.status));
    if (length && *length != asked_.size()) {
      // The storage ignored the range and sends everything.
      if (*length < asked_.end) return bad(fmt::format("{} bytes instead of {}", *length, asked_.size()));
      to_skip_ += asked_.begin;
      ends_before_answer_ = *length > asked_.end;
    }
    return {};
  }

  MutableByteSpan room(UniqueFunction<void()> resume) override {
    is_dropping_ = to_skip_ > 0 || fetch_.piece_is_done();
    if (is_dropping_) {
      return MutableByteSpan(scratch_).first(
          static_cast<size_t>(std::min<uint64_t>(scratch_.size(), std::max<uint64_t>(to_skip_, 1))));
    }
    const auto room = fetch_.job_.door->room(std::move(resume));
    if (room.empty() && fetch_.job_.lets_others_pass) fetch_.permit_.lend();
    return room.first(
        static_cast<size_t>(std::min<uint64_t>(room.size(), fetch_.piece_end_ - fetch_.job_.at())));
  }

  Status filled(size_t n_bytes) override {
    fetch_.permit_.moved(n_bytes);
    if (is_dropping_) {
      if (to_skip_ == 0) return bad("more bytes than were asked for");
      to_skip_ -= n_bytes;
      return {};
    }
    fetch_.job_.door->filled(n_bytes);
    fetch_.job_.delivered += n_bytes;
    // Not a failure: RangeFetch::judge looks first whether all has come.
    if (ends_before_answer_ && fetch_.piece_is_done()) return fail(ErrorCode::kCancelled, "enough");
    return {};
  }

 private:
  Status begin_partial(const net::ResponseHead& head, const std::optional<uint64_t>& length) const {
    if (length && *length != asked_.size())
      return bad(fmt::format("{} bytes instead of {}", *length, asked_.size()));
    const auto text = net::find_header(head.headers, "Content-Range");
    if (!text) {
      if (!length) return bad("neither Content-Range nor Content-Length");
      return {};
    }
    const auto range = parse_content_range(*text);
    if (!range || range->bytes != asked_) {
      return bad(fmt::format("bytes [{}, {}) were asked for, the answer says: {}", asked_.begin, asked_.end,
                             one_line(*text, 80)));
    }
    return {};
  }

  RangeFetch& fetch_;  // keeps this alive, and waits for the exchange to end
  const ByteRange asked_;
  uint64_t to_skip_;
  bool ends_before_answer_ = false;
  bool is_dropping_ = false;
  std::array<std::byte, 16384> scratch_;  // for what is dropped
};

void RangeFetch::start(HttpContext& context, FetchJob job) {
  const auto fetch = std::make_shared<RangeFetch>(context, std::move(job));
  context.downloads.acquire(fetch->job_.stop, [fetch](net::Permit permit) {
    if (!permit) return fetch->finish(fail(ErrorCode::kCancelled, "cancelled"));
    fetch->permit_ = std::move(permit);
    fetch->next_piece();
  });
}

void RangeFetch::next_piece() {
  if (job_.at() == job_.bytes.end) return finish({});
  const auto self = shared_from_this();
  CallPlan plan;
  plan.route = net::Route::kFetch;
  plan.label = "GET (xorb bytes)";
  plan.authorized = false;
  plan.permit = &permit_;
  plan.request = [self] { return self->make_request(); };
  plan.judge = [self](net::Outcome& outcome) { return self->judge(outcome); };
  plan.refresh_url = [self](std::stop_token stop, Callback<void> done) {
    self->refresh_url(std::move(stop), std::move(done));
  };
  plan.progress_bytes = [self] { return self->job_.delivered - self->delivered_before_; };
  n_refusals_ = 0;
  Call::start(context_, std::move(plan), job_.stop, [self](const CallEnd& end) {
    if (end.verdict == Verdict::kSuccess) return self->next_piece();
    self->finish(fail(end.error, "xorb " + self->job_.xorb.hex()));
  });
}

net::Request RangeFetch::make_request() {
  source_ = job_.ticket->table->source(job_.ticket->entry, job_.at());
  ByteRange asked = source_.signed_for;
  piece_end_ = asked.end;
  asked_for_part_ = !wants_whole_ranges_ && job_.at() > asked.begin;
  if (asked_for_part_) asked.begin = job_.at();
  delivered_before_ = job_.delivered;
  exchange_ = std::make_shared<Exchange>(*this, asked);
  net::Request request;
  request.url = source_.url;
  request.headers.push_back({"Range", range_value(asked)});
  request.sink = exchange_;
  return request;
}

std::optional<Judgement> RangeFetch::judge(net::Outcome& outcome) {
  exchange_.reset();
  if (job_.delivered > delivered_before_) n_refusals_ = 0;
  if (!outcome) {
    const bool is_refused = outcome.error().fault == net::Fault::kRefusedByReceiver;
    if (piece_is_done()) {
      // What breaks behind the last byte is no loss; more bytes than the range has are a fault of the
      // storage.
      const bool is_enough = !is_refused || outcome.error().error.code == ErrorCode::kCancelled;
      return is_enough ? Judgement{} : Judgement{Verdict::kFatal, outcome.error().error};
    }
    if (!is_refused) return std::nullopt;
    return Judgement{Verdict::kRetry, outcome.error().error};
  }
  if (outcome->is_success()) {
    if (piece_is_done()) return Judgement{};
    return Judgement{
        Verdict::kRetry,
        {ErrorCode::kCorruption, fmt::format("the answer ended {} bytes early", piece_end_ - job_.at())}};
  }
  // Storage that signs ranges may refuse a part of one, either way.
  const int status = outcome->head.status;
  if (status != 403 && status != 416) return std::nullopt;
  auto error = status_error({outcome->head, {}}, {});  // the body may quote the signature
  if (status == 416 && !asked_for_part_) {
    error.code = ErrorCode::kCorruption;  // the reconstruction promised these bytes
    return Judgement{Verdict::kFatal, std::move(error)};
  }
  return Judgement{Verdict::kRefreshUrl, std::move(error)};
}

/// After 403, or 416 for a part of a range.
void RangeFetch::refresh_url(std::stop_token stop, Callback<void> done) {
  const bool is_current = job_.ticket->table->generation() == source_.generation;
  if (is_current) ++n_refusals_;
  if (n_refusals_ > kMaxRefusals) {
    return done(
        fail(ErrorCode::kUnauthorized, fmt::format("{} fresh URLs in a row were refused", kMaxRefusals)));
  }
  if (asked_for_part_ && n_refusals_ > 1) wants_whole_ranges_ = true;
  job_.ticket->table->refresh(source_.generation, std::move(stop), std::move(done));
}

void RangeFetch::finish(Status outcome) {
  permit_.release();
  exchange_.reset();
  job_.finish(std::move(outcome));
}

}  // namespace xet::cas
