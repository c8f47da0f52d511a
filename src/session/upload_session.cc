#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/sync.h"
#include "session/ingest.h"
#include "session/monitor.h"
#include "session/packer.h"
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
        plan_(plan_memory(shared_.budget().total_bytes())),
        memory_(reserve()),
        blocks_(shared_.budget(), Block::kBufferBytes, kLeastBlocks, plan_.most_blocks),
        xorbs_(shared_.budget(), OpenXorb::buffer_bytes(plan_.xorb_bytes), 1, kMostXorbBuffers),
        strand_(shared_.cpu()),
        packer_({shared_, shared_.cas_or_null(), options_.dry_run, plan_.xorb_bytes, xorbs_, in_flight_,
                 strand_, monitor_}),
        ingest_({shared_.cpu(), blocks_, in_flight_, strand_, packer_, monitor_.stop_token()}),
        opener_(ingest_, in_flight_, monitor_),
        unblock_(monitor_.stop_token(), [this] {
          blocks_.cancel();
          xorbs_.cancel();
        }) {
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
    if (auto added = opener_.add(index, path, wants_sha256(options)); !added) {
      packer_.fail_file(index, std::move(added).error());
    }
    return index;
  }

  size_t add_bytes(std::string name, std::span<const std::byte> bytes, const FileOptions& options) {
    auto adding = adding_.lock();
    note(*adding, true, {.path = {}, .bytes = bytes, .name = name, .options = options});
    const size_t index = announce(*adding, std::move(name), options);
    monitor_.total_bytes.fetch_add(bytes.size(), std::memory_order_relaxed);
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
  void count_pushed(size_t n_bytes) { monitor_.total_bytes.fetch_add(n_bytes, std::memory_order_relaxed); }
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

  exec::MemoryBudget::Reservation reserve() {
    auto memory = shared_.budget().reserve(plan_.reserved, monitor_.stop_token(), options_.session.deadline);
    if (memory) return std::move(*memory);
    monitor_.fail(std::move(memory).error());
    return {};
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
  const Plan plan_;
  exec::MemoryBudget::Reservation memory_;
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

size_t UploadSession::add_file(const std::filesystem::path& path, FileOptions options) {
  return impl_->add_file(path, options);
}

size_t UploadSession::add_bytes(std::string name, std::span<const std::byte> bytes, FileOptions options) {
  return impl_->add_bytes(std::move(name), bytes, options);
}

Result<UploadReport> UploadSession::commit() {
  auto report = impl_->commit();
  if (report || !impl_->should_begin_anew()) return report;
  // A store that was made anew at the same address. The word of the old one is forgotten by now, so this
  // needs no new rules: it is another session. The old one goes first, because it holds memory.
  const auto again = impl_->new_begin();
  impl_.reset();
  impl_ = std::make_shared<Impl>(again.client, again.options);
  for (const auto& source : again.sources) impl_->add(source);
  return impl_->commit();
}

// --- Streams

class UploadStream::Impl {
 public:
  Impl(std::shared_ptr<UploadSession::Impl> session, std::shared_ptr<session::Ingest::Stream> stream,
       std::string name)
      : session_(std::move(session)), stream_(std::move(stream)), name_(std::move(name)) {}
  ~Impl() {
    if (finished_) return;
    end(fail(ErrorCode::kCancelled, fmt::format("{}: the stream was dropped before it was finished", name_)));
  }

  Status write(std::span<const std::byte> bytes) {
    if (finished_) return fail_finished();
    session_->count_pushed(bytes.size());
    auto status = stream_->write(bytes);
    return status ? status : explain(std::move(status));
  }

  Status finish() {
    if (finished_) return fail_finished();
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
  bool finished_ = false;
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

UploadStream UploadSession::add_stream(std::string name, FileOptions options) {
  auto stream = impl_->add_stream(name, options);
  return UploadStream(std::make_shared<UploadStream::Impl>(impl_, std::move(stream), std::move(name)));
}

}  // namespace xet
