#include "session/stream_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "base/sync.h"
#include "hash/tree.h"
#include "session/chunk_decoder.h"
#include "session/client_impl.h"
#include "session/download_plan.h"
#include "session/monitor.h"
#include "session/range_receiver.h"
#include "session/room.h"
#include "session/wait.h"
#include "xet/download.h"

namespace xet {

using session::FramedBlock;
using session::RangeReceiver;

namespace {

// The range being delivered, and the next one or two on their way.
constexpr size_t kFetchesAhead = 3;
constexpr size_t kBuffersPerFetch = 2;
// A range that came in one buffer is kept for the terms that come back to it, as those of repetitive files
// do.
constexpr size_t kKeptRanges = 4;

/// One range being received, block by block: the sender's thread puts blocks in, the consumer takes them out.
/// Every range has buffers of its own, so one that is ahead cannot starve the one whose turn it is.
class RangeFeed {
 public:
  RangeFeed(cas::Cas& cas, const session::PlannedFetch& fetch, const exec::MemoryBudget& budget,
            session::Monitor& monitor)
      : buffers_(budget, RangeReceiver::kBufferBytes, kBuffersPerFetch, kBuffersPerFetch),
        on_session_stop_(monitor.stop_token(), [this] { cancel(); }) {
    auto receiver = RangeReceiver::make(
        fetch.xorb, fetch.range, buffers_,
        [this, &monitor](FramedBlock block) {
          uint64_t bytes = 0;
          for (const auto& chunk : block.chunks)
            bytes += format::ChunkHeader::kEncodedSize + chunk.header.packed_len;
          monitor.transfer_bytes.fetch_add(bytes, std::memory_order_relaxed);
          state_.lock()->blocks.push_back(std::move(block));
          changed_.notify_all();
        },
        [this](Error error) { state_.lock()->status = tl::unexpected(std::move(error)); });
    cas.fetch({fetch.xorb, fetch.range, receiver, true}, stop_.get_token(), [this, receiver](Status status) {
      // notified with the lock held: the consumer may destroy this as soon as it sees the end
      auto state = state_.lock();
      if (status) status = receiver->check_complete();
      if (!status && state->status) state->status = std::move(status);
      state->ended = true;
      changed_.notify_all();
    });
  }
  RangeFeed(const RangeFeed&) = delete;
  RangeFeed& operator=(const RangeFeed&) = delete;

  /// Ends the fetch and waits for it: its thread uses this object.
  ~RangeFeed() {
    cancel();
    auto state = state_.lock();
    state.wait(changed_, [&] { return state->ended; });
  }

  /// The next block; nothing after the last.
  Result<std::optional<FramedBlock>> next() {
    auto state = state_.lock();
    state.wait(changed_, [&] { return !state->blocks.empty() || state->ended; });
    if (state->blocks.empty()) {
      if (!state->status) return tl::unexpected(state->status.error());
      return std::nullopt;
    }
    std::optional<FramedBlock> out = std::move(state->blocks.front());
    state->blocks.pop_front();
    return out;
  }

 private:
  void cancel() {
    stop_.request_stop();
    buffers_.cancel();
  }

  struct State {
    std::deque<FramedBlock> blocks;
    bool ended = false;
    Status status;
  };
  exec::BufferPool buffers_;
  Sync<State> state_;
  std::condition_variable changed_;
  std::stop_source stop_;
  std::stop_callback<std::function<void()>> on_session_stop_;
};

/// Consecutive terms that one pass over one range serves.
struct Visit {
  size_t fetch = 0;
  std::vector<size_t> terms;
};

std::vector<Visit> plan_visits(const session::PagePlan& plan) {
  std::vector<size_t> fetch_of(plan.terms.size());
  for (size_t f = 0; f < plan.fetches.size(); ++f) {
    for (const size_t term : plan.fetches[f].terms) fetch_of[term] = f;
  }
  std::vector<Visit> out;
  for (size_t t = 0; t < plan.terms.size(); ++t) {
    const bool goes_on =
        !out.empty() && out.back().fetch == fetch_of[t] &&
        plan.terms[t].term.chunks.begin >= plan.terms[out.back().terms.back()].term.chunks.end;
    if (goes_on) {
      out.back().terms.push_back(t);
    } else {
      out.push_back({fetch_of[t], {t}});
    }
  }
  return out;
}

/// Delivers a file in order, on the caller's thread.
class FileStreamer {
 public:
  FileStreamer(Client::Impl& shared, cas::Cas& cas, session::Monitor& monitor,
               const exec::MemoryBudget& budget,
               const std::function<Status(std::span<const std::byte>)>& sink,
               const session::StreamRequest& request)
      : shared_(shared),
        cas_(cas),
        monitor_(monitor),
        budget_(budget),
        sink_(sink),
        request_(request),
        range_(request.range.value_or(FileRange{})) {}

  Status run() {
    for (uint64_t at = range_.begin; at < range_.end;) {
      const cas::ByteRange page{at, at + std::min(shared_.tuning().stream_page_bytes, range_.end - at)};
      session::Waiter<cas::Reconstruction> answer;
      cas_.reconstruct(request_.file, page, monitor_.stop_token(), answer.callback());
      XET_TRY(auto reconstruction, answer.wait());
      XET_TRY(const auto plan, session::plan_page(std::move(reconstruction), at, range_.begin));
      if (at != range_.begin && !plan.terms.empty() &&
          plan.terms.front().output_begin != static_cast<int64_t>(at - range_.begin)) {
        return fail(ErrorCode::kCorruption, "the store's reconstruction does not go on where it ended");
      }
      const uint64_t end = std::min(plan.end, range_.end);
      monitor_.total_bytes.fetch_add(end - std::min(at, end), std::memory_order_relaxed);
      if (!request_.size_bytes) session::count_total(request_.progress, end - std::min(at, end));
      XET_TRY_STATUS(check_size(plan.end, plan.end < page.end));
      XET_TRY_STATUS(run_page(plan));
      if (plan.end < page.end) break;
      at = plan.end;
    }
    return {};
  }

  uint64_t delivered() const { return delivered_; }
  FileHash finish_root() { return tree_.finish_file(); }

 private:
  /// As far as the plan goes, and where its end is the file's.
  Status check_size(uint64_t planned_end, bool is_all) const {
    if (!request_.size_bytes) return {};
    const uint64_t size = *request_.size_bytes;
    const bool is_short = is_all && range_.end >= size && planned_end < size;
    if (planned_end <= size && !is_short) return {};
    return fail(ErrorCode::kCorruption, fmt::format("the file has {}{} bytes in the store, {} were expected",
                                                    is_all ? "" : "at least ", planned_end, size));
  }

  Status run_page(const session::PagePlan& plan) {
    const auto visits = plan_visits(plan);
    kept_.clear();
    std::map<size_t, std::unique_ptr<RangeFeed>> feeds;  // by visit
    for (size_t v = 0; v < visits.size(); ++v) {
      for (size_t ahead = v; ahead < std::min(v + kFetchesAhead, visits.size()); ++ahead) {
        if (feeds.contains(ahead) || is_kept(visits[ahead].fetch)) continue;
        feeds.emplace(
            ahead, std::make_unique<RangeFeed>(cas_, plan.fetches[visits[ahead].fetch], budget_, monitor_));
      }
      const auto feed = feeds.find(v);
      if (feed == feeds.end()) {
        XET_TRY_STATUS(deliver_block(plan, visits[v], kept_block(visits[v].fetch)));
      } else {
        XET_TRY_STATUS(deliver_feed(plan, visits[v], *feed->second));
        feeds.erase(feed);
      }
    }
    return {};
  }

  Status deliver_feed(const session::PagePlan& plan, const Visit& visit, RangeFeed& feed) {
    const auto& fetch = plan.fetches[visit.fetch];
    const uint32_t end = plan.terms[visit.terms.back()].term.chunks.end;
    for (uint32_t next = fetch.range.chunks.begin; next < end;) {
      XET_TRY(const auto block, feed.next());
      if (!block)
        return fail(ErrorCode::kCorruption, fmt::format("xorb {}: the range ended early", fetch.xorb.hex()));
      const bool is_whole = block->chunks.size() == fetch.range.chunks.size();
      if (is_whole && !is_kept(visit.fetch)) keep(visit.fetch, *block);
      XET_TRY_STATUS(deliver_block(plan, visit, *block));
      next = block->chunks.back().index + 1;
    }
    return {};
  }

  Status deliver_block(const session::PagePlan& plan, const Visit& visit, const FramedBlock& block) {
    const auto& fetch = plan.fetches[visit.fetch];
    const uint32_t first = block.chunks.front().index;
    for (const size_t t : visit.terms) {
      const auto& term = plan.terms[t];
      const uint32_t from = std::max(first, term.term.chunks.begin);
      const uint32_t to = std::min(block.chunks.back().index + 1, term.term.chunks.end);
      if (from >= to) continue;
      auto rest = std::span(block.chunks).subspan(from - first, to - from);
      if (from == term.term.chunks.begin) term_begin_ = rest.front().unpacked_offset;
      const auto& last = rest.back();
      const uint64_t reached = last.unpacked_offset + last.header.unpacked_len - term_begin_;
      if (to == term.term.chunks.end && reached != term.term.unpacked_len) {
        return fail(ErrorCode::kCorruption,
                    fmt::format("xorb {}: a term has {} bytes, the file's record says {}", fetch.xorb.hex(),
                                reached, term.term.unpacked_len));
      }
      while (!rest.empty()) {
        decoded_.clear();
        XET_TRY(const size_t n, decoder_.decode(fetch.xorb, rest, fetch.range, decoded_));
        for (const auto& chunk : decoded_) {
          tree_.add(hash::ChunkInfo{chunk.hash, static_cast<uint32_t>(chunk.bytes.size())});
          XET_TRY_STATUS(deliver(
              term.output_begin + static_cast<int64_t>(chunk.unpacked_offset - term_begin_), chunk.bytes));
        }
        rest = rest.subspan(n);
      }
    }
    return {};
  }

  Status deliver(int64_t output_at, ByteSpan bytes) {
    XET_TRY_STATUS(monitor_.status());
    const auto clip = session::clip_to_output(output_at, bytes.size(), range_.end - range_.begin);
    if (clip.take == 0) return {};
    XET_TRY_STATUS(sink_(bytes.subspan(clip.skip, clip.take)));
    delivered_ += clip.take;
    monitor_.done_bytes.fetch_add(clip.take, std::memory_order_release);
    return {};
  }

  // A few ranges that came in one piece, newest first.
  bool is_kept(size_t fetch) const {
    return std::any_of(kept_.begin(), kept_.end(), [&](const auto& kept) { return kept.first == fetch; });
  }
  const FramedBlock& kept_block(size_t fetch) const {
    return std::find_if(kept_.begin(), kept_.end(), [&](const auto& kept) { return kept.first == fetch; })
        ->second;
  }
  void keep(size_t fetch, const FramedBlock& block) {
    kept_.emplace_front(fetch, block);
    if (kept_.size() > kKeptRanges) kept_.pop_back();
  }

  Client::Impl& shared_;
  cas::Cas& cas_;
  session::Monitor& monitor_;
  const exec::MemoryBudget& budget_;
  const std::function<Status(std::span<const std::byte>)>& sink_;
  const session::StreamRequest& request_;
  const FileRange range_;
  session::ChunkDecoder decoder_;
  std::vector<session::DecodedChunk> decoded_;
  std::list<std::pair<size_t, FramedBlock>> kept_;
  hash::TreeHasher tree_;
  uint64_t term_begin_ = 0;  // where the term under way begins among the unpacked bytes of its range
  uint64_t delivered_ = 0;
};

}  // namespace

Result<uint64_t> session::stream_file(Client::Impl& shared, const StreamRequest& request,
                                      const std::function<Status(std::span<const std::byte>)>& sink,
                                      const SessionOptions& options) {
  XET_TRY(auto* cas, shared.require_cas());
  if (request.range && request.range->begin > request.range->end)
    return fail(ErrorCode::kInvalidArgument, "the range ends before it begins");
  if (request.file.is_zero()) return 0;
  session::Monitor monitor(options, shared.clock());
  monitor.total_files = 1;
  const size_t memory_bytes = (kFetchesAhead * kBuffersPerFetch + kKeptRanges) * RangeReceiver::kBufferBytes;
  const auto room =
      Room::make(shared.budget(), [&](size_t) { return memory_bytes; }, options, monitor.stop_token());
  if (!room.memory) return tl::unexpected(room.memory.error());

  FileStreamer streamer(shared, *cas, monitor, room.budget, sink, request);
  auto status = streamer.run();
  if (status && !request.range) {
    if (const auto root = streamer.finish_root(); root != request.file) {
      status =
          fail(ErrorCode::kCorruption, fmt::format("the content delivered hashes to {}, {} was asked for",
                                                   root.hex(), request.file.hex()));
    }
  }
  if (status) monitor.done_files = 1;
  monitor.finish();
  if (!status) {
    const auto why = monitor.status();  // a fired token or deadline shows as an aborted fetch first
    return tl::unexpected(why ? std::move(status).error() : why.error());
  }
  return streamer.delivered();
}

Result<uint64_t> stream_file(const std::shared_ptr<Client>& client, const FileHash& file,
                             std::optional<FileRange> range,
                             const std::function<Status(std::span<const std::byte>)>& sink,
                             const SessionOptions& options) {
  return session::stream_file(*client->impl(),
                              {.file = file, .range = range, .size_bytes = std::nullopt, .progress = nullptr},
                              sink, options);
}

}  // namespace xet
