#include "session/file_download.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "session/destination.h"

namespace xet::session {

namespace {

// Written stretches from this length on are handed to the disk at once, so that the final sync finds little
// to do.
constexpr uint64_t kWritebackBytes = uint64_t{1} << 20;
// A message that names doubtful xorbs grows to about this many characters.
constexpr size_t kMaxDoubtfulText = 512;

}  // namespace

FileDownload::FileDownload(const DownloadEnvironment& env, size_t index, DownloadRequest request)
    : env_(env),
      index_(index),
      request_(std::move(request)),
      is_whole_(!request_.range),
      output_begin_(is_whole_ ? 0 : request_.range->begin),
      window_(is_whole_ ? UINT64_MAX
                        : request_.range->end - std::min(request_.range->begin, request_.range->end)),
      output_size_(window_),
      next_page_(output_begin_),
      on_session_stop_(env_.monitor.stop_token(), [this] { stop_.request_stop(); }),
      on_own_stop_(request_.stop, [this] {
        post([this, alive = std::weak_ptr(alive_)] {  // it ends on the strand, perhaps before this runs there
          if (!alive.expired() && !settled_) fail_with({ErrorCode::kCancelled, "cancelled by the caller"});
        });
      }) {}

void FileDownload::begin() {
  begun_ = true;
  if (error_) return advance();  // cancelled while it waited
  if (const auto why = env_.monitor.status(); !why) return fail_with(why.error());
  if (request_.range && request_.range->begin > request_.range->end) {
    return fail_with({ErrorCode::kInvalidArgument, "the range ends before it begins"});
  }
  if (request_.file.is_zero()) output_size_ = 0;
  if (output_size_ == 0) {
    planned_ = true;
    if (auto size = check_size(0); !size) return fail_with(std::move(size).error());
    return prepare(0);
  }
  ask_page();
}

// --- Planning
// -------------------------------------------------------------------------------------------------------

void FileDownload::ask_page() {
  asking_ = true;
  const uint64_t limit = request_.range ? request_.range->end : UINT64_MAX;
  const cas::ByteRange page{
      next_page_, next_page_ + std::min(env_.shared.tuning().download_page_bytes, limit - next_page_)};
  env_.cas.reconstruct(
      request_.file, page, stop_.get_token(),
      [this, token = env_.in_flight.token(), page](Result<cas::Reconstruction> answer) mutable {
        post([this, page, answer = std::move(answer)]() mutable { on_page(page, std::move(answer)); });
      });
}

void FileDownload::on_page(const cas::ByteRange& page, Result<cas::Reconstruction> answer) {
  asking_ = false;
  if (error_) return advance();
  if (!answer) return fail_with(std::move(answer).error());
  auto plan = plan_page(std::move(*answer), page.begin, output_begin_);
  if (!plan) return fail_with(std::move(plan).error());
  const bool goes_on = page.begin != output_begin_;
  if (goes_on && !plan->terms.empty() &&
      plan->terms.front().output_begin != static_cast<int64_t>(page.begin - output_begin_)) {
    return fail_with({ErrorCode::kCorruption, "the store's reconstruction does not go on where it ended"});
  }

  next_page_ = plan->end;
  if (plan->end < page.end || (request_.range && plan->end >= request_.range->end)) {
    planned_ = true;
    output_size_ = std::min(output_size_, plan->end - std::min(plan->end, output_begin_));
  }
  const uint64_t size_so_far = std::min(output_size_, next_page_ - std::min(next_page_, output_begin_));
  if (auto size = check_size(size_so_far); !size) return fail_with(std::move(size).error());
  if (!is_whole_ || !request_.size_bytes) {
    const uint64_t more = size_so_far - (page.begin - output_begin_);
    env_.monitor.total_bytes.fetch_add(more, std::memory_order_relaxed);
    count_total(request_.progress, more);
  }
  queue_fetches(std::move(*plan));
  prepare(size_so_far);
}

/// As far as the plan goes: a file that turns out longer than it should be is not fetched to its end.
Status FileDownload::check_size(uint64_t planned_bytes) const {
  if (!is_whole_ || !request_.size_bytes) return {};
  if (planned_ ? planned_bytes == *request_.size_bytes : planned_bytes <= *request_.size_bytes) return {};
  return fail(ErrorCode::kCorruption,
              fmt::format("the file has {}{} bytes in the store, {} were expected",
                          planned_ ? "" : "at least ", planned_bytes, *request_.size_bytes));
}

void FileDownload::queue_fetches(PagePlan plan) {
  std::vector<std::shared_ptr<Fetch>> fetch_of(plan.terms.size());
  for (auto& planned : plan.fetches) {
    auto fetch = std::make_shared<Fetch>();
    fetch->xorb = planned.xorb;
    fetch->range = std::move(planned.range);
    env_.monitor.total_new_bytes.fetch_add(fetch->range.bytes.size(), std::memory_order_relaxed);
    for (const size_t i : planned.terms) {
      fetch->terms.push_back(plan.terms[i]);
      fetch_of[i] = fetch;
    }
    fetch->term_begins.resize(fetch->terms.size());
    queued_.push_back(std::move(fetch));
  }
  if (!is_whole_) return;
  for (size_t i = 0; i < plan.terms.size(); ++i) {
    unhashed_.push_back({std::move(fetch_of[i]), plan.terms[i].term.chunks});
  }
}

/// Opens the destination (the first time) and reserves space for what is planned, so that a full disk shows
/// early.
void FileDownload::prepare(uint64_t size_so_far) {
  ++n_running_;
  env_.shared.blocking().submit(
      [this, token = env_.in_flight.token(), size_so_far, file = temp_.get()]() mutable {
        std::unique_ptr<io::AtomicFile> opened;
        const auto status = [&]() -> Status {
          if (file == nullptr) {
            XET_TRY(auto temp, open_destination(request_.destination));
            opened = std::make_unique<io::AtomicFile>(std::move(temp));
            file = opened.get();
          }
          return file->file().reserve(size_so_far);
        }();
        Result<std::unique_ptr<io::AtomicFile>> result = std::move(opened);
        if (!status) result = tl::unexpected(status.error());
        post([this, result = std::move(result)]() mutable { on_prepared(std::move(result)); });
      });
}

void FileDownload::on_prepared(Result<std::unique_ptr<io::AtomicFile>> opened) {
  --n_running_;
  if (!opened) return error_ ? advance() : fail_with(std::move(opened).error());
  if (*opened != nullptr) temp_ = std::move(*opened);
  advance();
  env_.ready();
}

// --- Fetching
// -------------------------------------------------------------------------------------------------------

void FileDownload::start_fetch() {
  const auto fetch = std::move(queued_.front());
  queued_.pop_front();
  ++n_running_;
  fetch->hashed.resize(fetch->range.chunks.size());
  auto receiver = RangeReceiver::make(
      fetch->xorb, fetch->range, env_.buffers,
      [this, fetch](FramedBlock block) {
        uint64_t bytes = 0;
        for (const auto& chunk : block.chunks)
          bytes += format::ChunkHeader::kEncodedSize + chunk.header.packed_len;
        env_.monitor.transfer_bytes.fetch_add(bytes, std::memory_order_relaxed);
        env_.monitor.done_new_bytes.fetch_add(bytes, std::memory_order_release);
        if (auto placed = place_terms(*fetch, block); !placed) {
          post([this, error = std::move(placed).error()]() mutable { fail_with(std::move(error)); });
          return;
        }
        post([fetch] { ++fetch->n_decoding; });
        env_.shared.cpu().submit([this, token = env_.in_flight.token(), fetch,
                                  block = std::move(block)]() mutable { decode(fetch, block); });
      },
      [this](Error error) {
        post([this, error = std::move(error)]() mutable { fail_with(std::move(error)); });
      });
  cas::FetchRequest request{fetch->xorb, fetch->range, receiver};
  env_.cas.fetch(std::move(request), stop_.get_token(),
                 [this, token = env_.in_flight.token(), fetch, receiver](Status status) mutable {
                   if (status) status = receiver->check_complete();
                   post([this, fetch, status = std::move(status)]() mutable {
                     fetch->received = true;
                     if (!status && !error_) fail_with(std::move(status).error());
                     end_fetch_if_through(fetch);
                   });
                 });
}

/// Notes where the terms of the range begin among its unpacked bytes, and checks where they end. On the
/// sender's thread, block after block.
Status FileDownload::place_terms(Fetch& fetch, const FramedBlock& block) {
  for (size_t t = 0; t < fetch.terms.size(); ++t) {
    const auto& term = fetch.terms[t].term;
    for (const uint32_t border : {term.chunks.begin, term.chunks.end - 1}) {
      const uint32_t first = block.chunks.front().index;
      if (border < first || border > block.chunks.back().index) continue;
      const auto& chunk = block.chunks[border - first];
      if (border == term.chunks.begin) fetch.term_begins[t] = chunk.unpacked_offset;
      const uint64_t end = chunk.unpacked_offset + chunk.header.unpacked_len;
      if (border == term.chunks.end - 1 && end - fetch.term_begins[t] != term.unpacked_len) {
        return fail(
            ErrorCode::kCorruption,
            fmt::format("xorb {}: chunks {} to {} have {} bytes, the file's record says {}", fetch.xorb.hex(),
                        term.chunks.begin, term.chunks.end, end - fetch.term_begins[t], term.unpacked_len));
      }
    }
  }
  return {};
}

// --- Decoding and writing: tasks
// ------------------------------------------------------------------------------------

void FileDownload::decode(const std::shared_ptr<Fetch>& fetch, const FramedBlock& block) {
  std::vector<hash::ChunkInfo> hashed;
  Status status;
  if (stop_.stop_requested()) {
    status = fail(ErrorCode::kCancelled, "cancelled");
  } else {
    status = decode_and_write(*fetch, block, hashed);
  }
  Result<std::vector<hash::ChunkInfo>> result = std::move(hashed);
  if (!status) result = tl::unexpected(std::move(status).error());
  post([this, fetch, first = block.chunks.front().index, result = std::move(result)]() mutable {
    on_decoded(fetch, first, std::move(result));
  });
}

Status FileDownload::decode_and_write(const Fetch& fetch, const FramedBlock& block,
                                      std::vector<hash::ChunkInfo>& hashed) {
  auto decoder = env_.decoders.take();
  std::vector<DecodedChunk> decoded;
  const auto status = [&]() -> Status {
    for (std::span<const FramedChunk> rest = block.chunks; !rest.empty();) {
      decoded.clear();
      XET_TRY(const size_t n, decoder->decode(fetch.xorb, rest, fetch.range, decoded));
      XET_TRY_STATUS(write(fetch, decoded));
      for (const auto& chunk : decoded)
        hashed.push_back({chunk.hash, static_cast<uint32_t>(chunk.bytes.size())});
      rest = rest.subspan(n);
    }
    return {};
  }();
  env_.decoders.put(std::move(decoder));
  return status;
}

/// Writes consecutive chunks to every place in the output that uses them.
Status FileDownload::write(const Fetch& fetch, std::span<const DecodedChunk> chunks) {
  std::vector<ByteSpan> pieces;
  const uint32_t first = chunks.front().index;
  const uint32_t end = chunks.back().index + 1;
  for (size_t t = 0; t < fetch.terms.size(); ++t) {
    const auto& placed = fetch.terms[t];
    const uint32_t from = std::max(first, placed.term.chunks.begin);
    const uint32_t to = std::min(end, placed.term.chunks.end);
    if (from >= to) continue;
    const auto used = chunks.subspan(from - first, to - from);
    pieces.clear();
    uint64_t write_at = 0;
    uint64_t total = 0;
    for (const auto& chunk : used) {
      const int64_t at =
          placed.output_begin + static_cast<int64_t>(chunk.unpacked_offset - fetch.term_begins[t]);
      const auto clip = clip_to_output(at, chunk.bytes.size(), window_);
      if (clip.take == 0) continue;
      if (pieces.empty()) write_at = static_cast<uint64_t>(at + static_cast<int64_t>(clip.skip));
      pieces.push_back(chunk.bytes.subspan(clip.skip, clip.take));
      total += clip.take;
    }
    if (pieces.empty()) continue;
    XET_TRY_STATUS(temp_->file().write_at(write_at, pieces));
    if (total >= kWritebackBytes / 2) temp_->file().start_writeback(write_at, total);
    env_.monitor.done_bytes.fetch_add(total, std::memory_order_release);
    count_done(request_.progress, total);
  }
  return {};
}

// --- Back on the strand
// ---------------------------------------------------------------------------------------------

void FileDownload::on_decoded(const std::shared_ptr<Fetch>& fetch, uint32_t first_chunk,
                              Result<std::vector<hash::ChunkInfo>> hashed) {
  --fetch->n_decoding;
  if (!hashed) {
    if (!error_) fail_with(std::move(hashed).error());
    return end_fetch_if_through(fetch);
  }
  std::copy(hashed->begin(), hashed->end(),
            fetch->hashed.begin() + (first_chunk - fetch->range.chunks.begin));
  end_fetch_if_through(fetch);
}

void FileDownload::end_fetch_if_through(const std::shared_ptr<Fetch>& fetch) {
  if (!fetch->is_through()) return;
  --n_running_;
  const bool hashes_were_known = !fetch->range.chunk_hashes.empty();
  if (!error_ && !hashes_were_known && fetch->range.chunks.begin == 0 &&
      doubtful_xorbs_.size() < kMaxDoubtfulText && hash::xorb_hash(fetch->hashed) != fetch->xorb) {
    doubtful_xorbs_ += (doubtful_xorbs_.empty() ? "" : " ") + fetch->xorb.hex();
  }
  if (!error_) hash_what_is_through();
  advance();
  env_.fetch_ended();
}

void FileDownload::hash_what_is_through() {
  while (!unhashed_.empty() && unhashed_.front().fetch->is_through()) {
    const auto& [fetch, chunks] = unhashed_.front();
    for (uint32_t i = chunks.begin; i < chunks.end; ++i) {
      tree_.add(fetch->hashed[i - fetch->range.chunks.begin]);
    }
    unhashed_.pop_front();
  }
}

void FileDownload::advance() {
  if (!begun_ || settled_ || n_running_ > 0 || asking_) return;
  if (error_) return settle(tl::unexpected(*error_));
  if (planned_ && temp_ != nullptr && queued_.empty()) publish();
}

void FileDownload::publish() {
  if (is_whole_) {
    XET_CHECK(unhashed_.empty());
    const auto root = tree_.finish_file();
    if (root != request_.file) {
      std::string message =
          fmt::format("the content hashes to {}, {} was asked for", root.hex(), request_.file.hex());
      if (!doubtful_xorbs_.empty()) {
        message += fmt::format(
            "; of the xorbs fetched from their first chunk on, these do not hash to their name (damaged, or "
            "not fetched to their end): {}",
            doubtful_xorbs_);
      }
      return fail_with({ErrorCode::kCorruption, std::move(message)});
    }
  }
  ++n_running_;
  env_.shared.blocking().submit([this, token = env_.in_flight.token(), temp = std::move(temp_)]() mutable {
    const auto publish_now = [&]() -> Status {
      XET_TRY_STATUS(temp->file().truncate(output_size_));
      XET_TRY([[maybe_unused]] const bool ours, temp->publish(io::AtomicFile::Durability::kFile));
      return {};
    };
    auto published = publish_now();
    temp.reset();
    post([this, published = std::move(published)]() mutable {
      --n_running_;
      if (!published) return error_ ? advance() : fail_with(std::move(published).error());
      settle(DownloadedFile{request_.destination, request_.file, output_size_, is_whole_});
    });
  });
}

void FileDownload::fail_with(Error error) {
  if (error_) return;
  // what the caller's token or deadline did shows as an aborted fetch first
  if (const auto why = env_.monitor.status(); !why) error = why.error();
  error.message = fmt::format("{}: {}", request_.destination.string(), error.message);
  error_ = std::move(error);
  stop_.request_stop();
  queued_.clear();
  advance();
}

void FileDownload::settle(Result<DownloadedFile> result) {
  settled_ = true;
  if (result) env_.monitor.done_files.fetch_add(1, std::memory_order_relaxed);
  if (temp_ == nullptr) return env_.settled(index_, std::move(result));
  ++n_running_;
  env_.shared.blocking().submit(
      [this, token = env_.in_flight.token(), temp = std::move(temp_), result = std::move(result)]() mutable {
        temp.reset();  // removes the unfinished file
        post([this, result = std::move(result)]() mutable { env_.settled(index_, std::move(result)); });
      });
}

}  // namespace xet::session
