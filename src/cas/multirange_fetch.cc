#include "cas/multirange_fetch.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "cas/multipart.h"
#include "cas/range_fetch.h"
#include "net/retry.h"

namespace xet::cas {

namespace {

// How long the first of a URL's ranges waits for the others: a pipeline begins them in one go.
constexpr std::chrono::milliseconds kLinger{20};
// A receiver that blocks the answer for longer may be waiting for one that comes behind it.
constexpr std::chrono::seconds kMaxBlocked{1};
// Servers limit the length of a header.
constexpr size_t kMaxRangeHeader = size_t{6} << 10;
// Refusals in a row after which it is not tried any more.
constexpr size_t kMaxRefusals = 3;

std::string ranges_value(const std::vector<FetchJob>& jobs) {
  std::string out = "bytes=";
  for (const auto& job : jobs) {
    if (out.back() != '=') out += ',';
    out += fmt::format("{}-{}", job.bytes.begin, job.bytes.end - 1);
  }
  return out;
}

}  // namespace

// --- Waiting for the others of a URL

struct MultirangeGroup {
  std::vector<ByteRange> ranges;              // all of the URL
  std::vector<std::optional<FetchJob>> jobs;  // one for each, as far as they have come
  size_t n_jobs = 0;
};

namespace {

/// The group is complete, or has waited long enough.
void depart(HttpContext& context, MultirangeGroup group) {
  std::vector<FetchJob> jobs;
  for (auto& job : group.jobs) {
    if (job) jobs.push_back(std::move(*job));
  }
  if (jobs.size() == group.ranges.size() && ranges_value(jobs).size() <= kMaxRangeHeader)
    return MultirangeFetch::start(context, std::move(jobs));
  for (auto& job : jobs) RangeFetch::start(context, std::move(job));
}

/// The job joins the others of its URL; false when it goes alone.
bool join(HttpContext& context, FetchJob& job) {
  if (context.n_multirange_refusals.load() >= kMaxRefusals) return false;
  const auto& table = job.ticket->table;
  const auto source = table->source(job.ticket->entry, job.bytes.begin);
  const auto ranges = table->signed_ranges(source);
  const auto place = std::find(ranges.begin(), ranges.end(), job.bytes);
  if (ranges.size() < 2 || place == ranges.end()) return false;

  const HttpContext::GroupKey key{table.get(), source.generation, source.url_index};
  std::shared_ptr<MultirangeGroup> complete;
  {
    auto groups = context.multirange_groups.lock();
    auto& group = (*groups)[key];
    const bool is_first = group == nullptr;
    if (is_first) {
      group = std::make_shared<MultirangeGroup>();
      group->ranges = ranges;
      group->jobs.resize(ranges.size());
    }
    auto& slot = group->jobs[static_cast<size_t>(place - ranges.begin())];
    if (slot) return false;
    slot.emplace(std::move(job));
    if (++group->n_jobs == ranges.size()) {
      complete = std::move(group);
      groups->erase(key);
    } else if (is_first) {
      // weak: a group that left in time is gone
      context.run_after(kLinger, [&context, key, weak = std::weak_ptr(group)] {
        std::shared_ptr<MultirangeGroup> late;
        {
          auto all = context.multirange_groups.lock();
          const auto found = all->find(key);
          if (found == all->end() || found->second != weak.lock()) return;
          late = std::move(found->second);
          all->erase(found);
        }
        depart(context, std::move(*late));
      });
    }
  }
  if (complete) depart(context, std::move(*complete));
  return true;
}

}  // namespace

void start_fetch(HttpContext& context, FetchRequest request, std::stop_token stop, Callback<void> done) {
  auto ticket = std::dynamic_pointer_cast<const HttpTicket>(request.range.ticket);
  if (ticket == nullptr || request.range.bytes.begin >= request.range.bytes.end) {
    return done(fail(ErrorCode::kInvalidArgument,
                     fmt::format("xorb {}: a range that this store did not give", request.xorb.hex())));
  }
  FetchJob job{.xorb = request.xorb,
               .bytes = request.range.bytes,
               .ticket = std::move(ticket),
               .door = std::make_shared<SinkDoor>(std::move(request.sink)),
               .stop = std::move(stop),
               .done = std::move(done),
               .in_flight = context.in_flight.token(),
               .lets_others_pass = request.lets_others_pass};
  const bool may_join = context.options.enable_multirange_fetching && !request.lets_others_pass;
  if (may_join && join(context, job)) return;
  RangeFetch::start(context, std::move(job));
}

// --- One exchange for all

/// Takes the parts in the order in which they were asked for, each into the memory of its receiver.
class MultirangeFetch::Exchange final : public net::ResponseSink {
 public:
  explicit Exchange(std::shared_ptr<MultirangeFetch> fetch) : fetch_(std::move(fetch)) {}

  Status begin(const net::ResponseHead& head) override {
    const auto type = net::find_header(head.headers, "Content-Type").value_or("");
    const auto boundary = multipart_boundary(type);
    if (head.status != 206 || !boundary)
      return fail(ErrorCode::kCorruption, "no multipart answer to a request for several ranges");
    parser_.emplace(*boundary);
    return {};
  }

  MutableByteSpan room(UniqueFunction<void()> resume) override {
    // The head of a part is read byte by byte, so that nothing of its body is taken with it.
    if (parser_->body_left() == 0) return last_room_ = MutableByteSpan(scratch_);
    auto waits = [fetch = fetch_, resume = std::move(resume)]() mutable {
      ++*fetch->n_waits_.lock();
      resume();
    };
    const size_t n_waits = ++*fetch_->n_waits_.lock();
    const auto room = fetch_->jobs_[part_ - 1].door->room(std::move(waits));
    if (room.empty()) {
      fetch_->watch(n_waits);
      return {};
    }
    ++*fetch_->n_waits_.lock();
    return last_room_ =
               room.first(static_cast<size_t>(std::min<uint64_t>(room.size(), parser_->body_left())));
  }

  Status filled(size_t n_bytes) override {
    fetch_->permit_.moved(n_bytes);
    for (ByteSpan in = ByteSpan(last_room_).first(n_bytes); !in.empty();) {
      XET_TRY(const auto event, parser_->next(in));
      if (event.kind == MultipartParser::Kind::kData) {
        auto& job = fetch_->jobs_[part_ - 1];
        job.door->filled(event.data.size());
        job.delivered += event.data.size();
      } else if (event.kind == MultipartParser::Kind::kPart) {
        if (part_ == fetch_->jobs_.size() || event.part.bytes != fetch_->jobs_[part_].bytes)
          return fail(ErrorCode::kCorruption, "a part that is not the next one asked for");
        ++part_;
      }
    }
    return {};
  }

 private:
  const std::shared_ptr<MultirangeFetch> fetch_;
  std::optional<MultipartParser> parser_;
  size_t part_ = 0;  // parts begun
  MutableByteSpan last_room_;
  std::array<std::byte, 1> scratch_;
};

MultirangeFetch::MultirangeFetch(HttpContext& context, std::vector<FetchJob> jobs)
    : context_(context), jobs_(std::move(jobs)) {}

void MultirangeFetch::start(HttpContext& context, std::vector<FetchJob> jobs) {
  const auto fetch = std::make_shared<MultirangeFetch>(context, std::move(jobs));
  // A job that is stopped ends the common exchange; the others go on alone.
  for (const auto& job : fetch->jobs_) {
    fetch->on_stop_.push_back(
        std::make_unique<std::stop_callback<std::function<void()>>>(job.stop, [stop = fetch->stop_] {
          // A copy: the callback may be destroyed by what it starts.
          std::stop_source(stop).request_stop();
        }));
  }
  context.downloads.acquire(fetch->stop_.get_token(), [fetch](net::Permit permit) {
    permit ? fetch->send(std::move(permit)) : fetch->go_on_alone();
  });
}

void MultirangeFetch::send(net::Permit permit) {
  permit_ = std::move(permit);
  permit_.begin();
  const auto source =
      jobs_.front().ticket->table->source(jobs_.front().ticket->entry, jobs_.front().bytes.begin);
  net::Request request;
  request.url = source.url;
  request.headers = merged(context_.standing, {{"Range", ranges_value(jobs_)}});
  request.patience = net::patience_for(net::Route::kFetch, context_.options.patience);
  request.sink = std::make_shared<Exchange>(shared_from_this());
  context_.options.transport->start(
      std::move(request), stop_.get_token(),
      [self = shared_from_this()](const net::Outcome& outcome) { self->ended(outcome); });
}

void MultirangeFetch::ended(const net::Outcome& outcome) {
  const bool is_success = outcome && outcome->is_success();
  permit_.end(is_success ? net::TransferEnd::kOk : net::TransferEnd::kFailed);
  // Breaks and stops say nothing of whether the storage can do it.
  if (is_success) {
    context_.n_multirange_refusals.store(0);
  } else if (outcome || outcome.error().fault == net::Fault::kRefusedByReceiver) {
    ++context_.n_multirange_refusals;
  }
  go_on_alone();
}

/// Once more after a while: still the same wait?
void MultirangeFetch::watch(size_t n_waits) {
  context_.run_after(kMaxBlocked, [weak = weak_from_this(), n_waits] {
    const auto self = weak.lock();
    if (self != nullptr && *self->n_waits_.lock() == n_waits) self->stop_.request_stop();
  });
}

void MultirangeFetch::go_on_alone() {
  permit_.release();
  on_stop_.clear();
  for (auto& job : std::exchange(jobs_, {})) {
    if (job.delivered == job.bytes.size()) {
      job.finish({});
    } else {
      RangeFetch::start(context_, std::move(job));
    }
  }
}

}  // namespace xet::cas
