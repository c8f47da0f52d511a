#include <algorithm>
#include <utility>

#include "hash/tree.h"
#include "session/ingest.h"
#include "session/monitor.h"
#include "session/source_opener.h"
#include "xet/upload.h"

namespace xet {

using session::Batch;
using session::Block;
using session::Ingest;

namespace {

/// The sink of hash_files() and chunk_file(): aggregates each source's chunks.
class Hasher final : public session::BatchSink {
 public:
  Hasher(size_t n_sources, bool want_sha256, session::Monitor& monitor,
         const std::function<void(std::span<const FileChunk>)>* on_chunks)
      : sources_(n_sources), want_sha256_(want_sha256), monitor_(monitor), on_chunks_(on_chunks) {}

  void on_batch(Batch batch) override {
    for (auto& part : batch.parts) {
      auto& source = sources_[part.source];
      for (const auto& chunk : part.chunks) {
        const auto length = static_cast<uint32_t>(chunk.bytes.size());
        if (on_chunks_ != nullptr) listed_.push_back({source.tree.size(), length, chunk.hash});
        source.tree.add(hash::ChunkInfo{chunk.hash, length});
        monitor_.done_bytes.fetch_add(length, std::memory_order_relaxed);
      }
      if (!part.last) continue;
      source.status = std::move(part.status);
      source.chunks_done = true;
      settle(source);
    }
    if (on_chunks_ == nullptr || listed_.empty()) return;
    (*on_chunks_)(listed_);
    listed_.clear();
  }

  void on_sha256(size_t index, const Sha256Digest& digest) override {
    sources_[index].sha256 = digest;
    settle(sources_[index]);
  }

  /// For a source that never reached the pipeline.
  void set_failed(size_t index, Status status) { sources_[index].status = std::move(status); }

  Result<FileReport> report(size_t index, std::string name) {
    auto& source = sources_[index];
    if (!source.status) return tl::unexpected(std::move(source.status).error());
    if (!is_through(source)) return fail(ErrorCode::kCancelled, "cancelled");
    FileReport out;
    out.name = std::move(name);
    out.size_bytes = source.tree.size();
    out.hash = source.tree.finish_file();
    out.sha256 = source.sha256;
    return out;
  }

 private:
  struct Source {
    hash::TreeHasher tree;
    std::optional<Sha256Digest> sha256;
    Status status;
    bool chunks_done = false;
  };

  bool is_through(const Source& source) const {
    return source.chunks_done && (!want_sha256_ || !source.status || source.sha256);
  }
  void settle(const Source& source) {
    if (is_through(source)) monitor_.done_files.fetch_add(1, std::memory_order_relaxed);
  }

  std::vector<Source> sources_;
  const bool want_sha256_;
  session::Monitor& monitor_;
  const std::function<void(std::span<const FileChunk>)>* on_chunks_;
  std::vector<FileChunk> listed_;
};

std::vector<Result<FileReport>> run(const std::shared_ptr<Client>& client,
                                    const std::vector<std::filesystem::path>& paths,
                                    const FileOptions& options, const SessionOptions& session_options,
                                    const std::function<void(std::span<const FileChunk>)>* on_chunks) {
  auto& shared = *client->impl();
  std::vector<Result<FileReport>> out;
  out.reserve(paths.size());
  session::Monitor monitor(session_options, shared.clock());

  // One block per core for each of reading, cutting and hashing; more would only fall out of the caches.
  const size_t least = 2;
  const size_t most = 3 * shared.cpu().size() + 1;
  auto memory =
      shared.budget().reserve(least * Block::kBufferBytes, monitor.stop_token(), session_options.deadline);
  if (!memory) {
    for (size_t i = 0; i < paths.size(); ++i) out.emplace_back(tl::unexpected(memory.error()));
    return out;
  }
  exec::BufferPool blocks(shared.budget(), Block::kBufferBytes, least, most);
  const bool want_sha256 = options.sha256 == Sha256Policy::kCompute;
  Hasher hasher(paths.size(), want_sha256, monitor, on_chunks);
  const exec::InFlight in_flight;
  {
    Ingest ingest(
        {shared.cpu(), blocks, in_flight, exec::Strand(shared.cpu()), hasher, monitor.stop_token()});
    const std::stop_callback unblock(monitor.stop_token(), [&] { blocks.cancel(); });
    session::SourceOpener opener(ingest, in_flight, monitor);
    for (size_t i = 0; i < paths.size(); ++i) {
      monitor.total_files.fetch_add(1, std::memory_order_relaxed);
      auto added = opener.add(i, paths[i], want_sha256);
      if (!added) hasher.set_failed(i, std::move(added));
    }
    in_flight.wait();
  }
  monitor.finish();
  for (size_t i = 0; i < paths.size(); ++i) out.push_back(hasher.report(i, paths[i].string()));
  if (const auto why = monitor.status(); !why && why.error().code == ErrorCode::kDeadline) {
    for (auto& result : out) {
      if (!result && result.error().code == ErrorCode::kCancelled) result = tl::unexpected(why.error());
    }
  }
  return out;
}

}  // namespace

std::vector<Result<FileReport>> hash_files(const std::shared_ptr<Client>& client,
                                           const std::vector<std::filesystem::path>& paths,
                                           const FileOptions& options, const SessionOptions& session) {
  return run(client, paths, options, session, nullptr);
}

Result<FileReport> chunk_file(const std::shared_ptr<Client>& client, const std::filesystem::path& path,
                              const std::function<void(std::span<const FileChunk>)>& on_chunks,
                              const SessionOptions& session) {
  auto results = run(client, {path}, {.sha256 = Sha256Policy::kSkip}, session, &on_chunks);
  return std::move(results.front());
}

}  // namespace xet
