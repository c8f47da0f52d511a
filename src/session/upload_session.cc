#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/sync.h"
#include "session/ingest.h"
#include "session/monitor.h"
#include "session/packer.h"
#include "session/room.h"
#include "session/source_opener.h"
#include "xet/upload.h"

namespace xet {

using session::Block;
using session::OpenXorb;

namespace {

constexpr size_t kLeastBlocks = 4;
constexpr size_t kMostXorbBuffers = 3;  // one being filled, two on their way

/// How a session divides the memory it may have.
struct Plan {
  size_t xorb_bytes;
  size_t reserved;  // what it cannot do without
  size_t most_blocks;
};

Plan plan_memory(size_t cap) {
  // Small caps get small xorbs: two of them and the blocks must fit with room to spare.
  const size_t xorb_bytes = cap >= size_t{192} << 20 ? format::kMaxXorbBytes : format::kMaxXorbBytes / 4;
  const size_t xorb_buffer = OpenXorb::buffer_bytes(xorb_bytes);
  Plan plan{xorb_bytes, xorb_buffer + kLeastBlocks * Block::kBufferBytes, kLeastBlocks};
  // A sixteenth of the cap is left for what is not in buffers: index, shards, file lists.
  const size_t blocks_cap = cap - cap / 16 - std::min(cap - cap / 16, kMostXorbBuffers * xorb_buffer);
  plan.most_blocks = std::max(kLeastBlocks, blocks_cap / Block::kBufferBytes);
  return plan;
}

bool wants_sha256(const FileOptions& options) {
  return options.sha256 == Sha256Policy::kCompute;
}

}  // namespace

DeduplicationMetrics& DeduplicationMetrics::operator+=(const DeduplicationMetrics& other) {
  for (const auto field :
       {&DeduplicationMetrics::total_bytes, &DeduplicationMetrics::total_chunks,
        &DeduplicationMetrics::deduped_bytes, &DeduplicationMetrics::deduped_chunks,
        &DeduplicationMetrics::new_bytes, &DeduplicationMetrics::new_chunks,
        &DeduplicationMetrics::deduped_bytes_by_global_dedup,
        &DeduplicationMetrics::deduped_chunks_by_global_dedup,
        &DeduplicationMetrics::defrag_prevented_dedup_bytes,
        &DeduplicationMetrics::defrag_prevented_dedup_chunks, &DeduplicationMetrics::compressed_bytes,
        &DeduplicationMetrics::xorb_bytes_uploaded, &DeduplicationMetrics::shard_bytes_uploaded,
        &DeduplicationMetrics::total_bytes_uploaded}) {
    this->*field += other.*field;
  }
  return *this;
}

class UploadSession::Impl {
 public:
  Impl(std::shared_ptr<Client> client, UploadOptions options)
      : client_(std::move(client)),
        shared_(*client_->impl()),
        options_(std::move(options)),
        monitor_(options_.session, shared_.clock()),
        room_(session::Room::make(
            shared_.budget(), [](size_t cap) { return plan_memory(cap).reserved; }, options_.session,
            monitor_.stop_token())),
        plan_(plan_memory(room_.budget.total_bytes())),
        blocks_(room_.budget, Block::kBufferBytes, kLeastBlocks, plan_.most_blocks),
        xorbs_(room_.budget, OpenXorb::buffer_bytes(plan_.xorb_bytes), 1, kMostXorbBuffers),
        strand_(shared_.cpu()),
        packer_({shared_, shared_.cas_or_null(), options_.dry_run, options_.all_or_nothing, plan_.xorb_bytes,
                 xorbs_, in_flight_, strand_, monitor_}),
        ingest_({shared_.cpu(), blocks_, in_flight_, strand_, packer_, monitor_.stop_token()}),
        opener_(ingest_, in_flight_, monitor_),
        unblock_(monitor_.stop_token(), [this] {
          blocks_.cancel();
          xorbs_.cancel();
        }) {
    if (!room_.memory) monitor_.fail(room_.memory.error());
    if (options_.dry_run) return;
    if (auto cas = shared_.require_cas(); !cas) monitor_.fail(std::move(cas).error());
  }

  ~Impl() {
    cancel();
    packer_.shut_down();
  }

  size_t add_file(const std::filesystem::path& path, const FileOptions& options) {
    std::error_code unknown;
    const bool can_be_read_again = std::filesystem::is_regular_file(path, unknown);
    auto adding = adding_.lock();
    const size_t index = announce(*adding, path.string(), options);
    note(*adding, can_be_read_again, {.path = path, .bytes = std::nullopt, .name = {}, .options = options});
    if (auto added = opener_.add(index, path, wants_sha256(options), options.progress); !added) {
      packer_.fail_file(index, std::move(added).error());
    }
    return index;
  }

  size_t add_bytes(std::string name, std::span<const std::byte> bytes, const FileOptions& options) {
    auto adding = adding_.lock();
    note(*adding, true, {.path = {}, .bytes = bytes, .name = name, .options = options});
    const size_t index = announce(*adding, std::move(name), options);
    monitor_.total_bytes.fetch_add(bytes.size(), std::memory_order_relaxed);
    session::count_total(options.progress, bytes.size());
    ingest_.add_bytes(index, bytes, wants_sha256(options));
    return index;
  }

  std::shared_ptr<session::Ingest::Stream> add_stream(std::string name, const FileOptions& options) {
    auto adding = adding_.lock();
    ++adding->n_open_streams;
    note(*adding, false, {});
    const size_t index = announce(*adding, std::move(name), options);
    return ingest_.add_stream(index, wants_sha256(options));
  }
  void count_pushed(size_t n_bytes, const std::shared_ptr<FileProgress>& progress) {
    monitor_.total_bytes.fetch_add(n_bytes, std::memory_order_relaxed);
    session::count_total(progress, n_bytes);
  }
  void stream_finished() { --adding_.lock()->n_open_streams; }

  Result<UploadReport> commit() {
    if (adding_.lock()->n_open_streams > 0) {
      monitor_.fail({ErrorCode::kInvalidArgument, "a stream of the upload was not finished before commit"});
    }
    packer_.finish();
    packer_.shut_down();
    monitor_.finish();
    auto report = packer_.take_report();
    cancel();  // whoever still writes to the session is told so
    return report;
  }

  void cancel() { monitor_.cancel(); }
  Progress progress() { return monitor_.snapshot(); }
  Status status() const { return monitor_.status(); }

  /// After a commit() that failed: whether the same upload, begun anew, may succeed at once.
  bool should_begin_anew() { return packer_.relied_on_lost_xorbs() && adding_.lock()->can_begin_anew; }
  /// What it takes for that; this session is of no use then.
  struct Source {
    std::filesystem::path path;
    std::optional<std::span<const std::byte>> bytes;  // instead of a path
    std::string name;                                 // of bytes
    FileOptions options;
  };
  struct NewBegin {
    std::shared_ptr<Client> client;
    UploadOptions options;
    std::vector<Source> sources;
  };
  NewBegin new_begin() { return {client_, options_, std::move(adding_.lock()->sources)}; }
  void add(const Source& source) {
    if (const auto& progress = source.options.progress) {
      progress->total_bytes = 0;
      progress->done_bytes = 0;
    }
    source.bytes ? add_bytes(source.name, *source.bytes, source.options)
                 : add_file(source.path, source.options);
  }

 private:
  struct Adding {
    size_t n_files = 0;
    size_t n_open_streams = 0;
    bool can_begin_anew = true;  // nothing but sources that can be read twice
    std::vector<Source> sources;
  };

  static void note(Adding& adding, bool can_be_read_again, Source source) {
    if (!can_be_read_again) {
      adding.can_begin_anew = false;
      adding.sources = {};
    }
    if (adding.can_begin_anew) adding.sources.push_back(std::move(source));
  }

  size_t announce(Adding& adding, std::string name, const FileOptions& options) {
    monitor_.total_files.fetch_add(1, std::memory_order_relaxed);
    packer_.add_file(adding.n_files, std::move(name), options);
    return adding.n_files++;
  }

  // The order matters: whoever starts tasks is destroyed before what the tasks use, and the client last.
  std::shared_ptr<Client> client_;
  Client::Impl& shared_;
  const UploadOptions options_;
  session::Monitor monitor_;
  session::Room room_;
  const Plan plan_;
  exec::InFlight in_flight_;
  exec::BufferPool blocks_;
  exec::BufferPool xorbs_;
  exec::Strand strand_;
  session::Packer packer_;
  session::Ingest ingest_;
  session::SourceOpener opener_;
  Sync<Adding> adding_;  // held while a file is added: the order of indices is the order in the pipeline
  std::stop_callback<std::function<void()>> unblock_;
};

UploadSession::UploadSession(const std::shared_ptr<Client>& client, UploadOptions options)
    : impl_(std::make_shared<Impl>(client, std::move(options))) {}

UploadSession::~UploadSession() {
  impl_->cancel();
}

std::shared_ptr<UploadSession::Impl> UploadSession::impl() const {
  const std::lock_guard lock(mutex_);
  return impl_;
}

void UploadSession::replace(std::shared_ptr<Impl> next) {
  {
    const std::lock_guard lock(mutex_);
    std::swap(impl_, next);
  }
  next.reset();  // waits for what is under way
}

size_t UploadSession::add_file(const std::filesystem::path& path, const FileOptions& options) {
  return impl()->add_file(path, options);
}

size_t UploadSession::add_bytes(std::string name, std::span<const std::byte> bytes,
                                const FileOptions& options) {
  return impl()->add_bytes(std::move(name), bytes, options);
}

Progress UploadSession::progress() const {
  const auto session = impl();
  return session == nullptr ? Progress() : session->progress();
}

Result<UploadReport> UploadSession::commit() {
  auto report = impl()->commit();
  if (report || !impl()->should_begin_anew()) return report;
  // A store that was made anew at the same address. The word of the old one is forgotten by now, so this
  // needs no new rules: it is another session. The old one goes first, because it holds memory.
  const auto again = impl()->new_begin();
  replace(nullptr);
  const auto next = std::make_shared<Impl>(again.client, again.options);
  replace(next);
  for (const auto& source : again.sources) next->add(source);
  return next->commit();
}

// --- Streams

class UploadStream::Impl {
 public:
  Impl(std::shared_ptr<UploadSession::Impl> session, std::shared_ptr<session::Ingest::Stream> stream,
       std::string name, std::shared_ptr<FileProgress> progress)
      : session_(std::move(session)),
        stream_(std::move(stream)),
        name_(std::move(name)),
        progress_(std::move(progress)) {}
  ~Impl() {
    if (finished_) return;
    end(fail(ErrorCode::kCancelled, fmt::format("{}: the stream was dropped before it was finished", name_)));
  }

  Status write(std::span<const std::byte> bytes) {
    if (finished_) return fail_finished();
    session_->count_pushed(bytes.size(), progress_);
    auto status = stream_->write(bytes);
    return status ? status : explain(std::move(status));
  }

  void cancel() {
    cancelled_.store(true, std::memory_order_relaxed);
    stream_->cancel();
  }

  Status finish() {
    if (finished_) return fail_finished();
    if (cancelled_.load(std::memory_order_relaxed))
      return fail(ErrorCode::kCancelled, fmt::format("{}: the stream was cancelled", name_));
    end({});
    return session_->status();
  }

 private:
  void end(Status status) {
    finished_ = true;
    stream_->finish(std::move(status));
    session_->stream_finished();
  }
  Status fail_finished() const {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{}: the stream is finished already", name_));
  }
  /// The session's reason, where it has one: the stream itself only knows that it got no memory.
  Status explain(Status status) const {
    auto why = session_->status();
    return why ? std::move(status) : std::move(why);
  }

  std::shared_ptr<UploadSession::Impl> session_;
  std::shared_ptr<session::Ingest::Stream> stream_;
  const std::string name_;
  const std::shared_ptr<FileProgress> progress_;
  bool finished_ = false;
  std::atomic<bool> cancelled_{false};
};

UploadStream::UploadStream(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
UploadStream::~UploadStream() = default;
UploadStream::UploadStream(UploadStream&&) noexcept = default;
UploadStream& UploadStream::operator=(UploadStream&&) noexcept = default;
Status UploadStream::write(std::span<const std::byte> bytes) {
  return impl_->write(bytes);
}
Status UploadStream::finish() {
  return impl_->finish();
}

void UploadStream::cancel() {
  impl_->cancel();
}

UploadStream UploadSession::add_stream(std::string name, FileOptions options) {
  const auto session = impl();
  auto stream = session->add_stream(name, options);
  return UploadStream(std::make_shared<UploadStream::Impl>(session, std::move(stream), std::move(name),
                                                           std::move(options.progress)));
}

}  // namespace xet
