#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "xet/client.h"
#include "xet/export.h"
#include "xet/hash.h"
#include "xet/result.h"

namespace xet {

/// What deduplication did, in bytes and chunks. total = deduped + new.
struct DeduplicationMetrics {
  uint64_t total_bytes = 0;
  uint64_t total_chunks = 0;
  uint64_t deduped_bytes = 0;  ///< found in this session, in known shards or in the store
  uint64_t deduped_chunks = 0;
  uint64_t new_bytes = 0;  ///< put into new xorbs
  uint64_t new_chunks = 0;
  uint64_t deduped_bytes_by_global_dedup =
      0;  ///< part of deduped: learnt by asking the store during this session
  uint64_t deduped_chunks_by_global_dedup = 0;
  uint64_t defrag_prevented_dedup_bytes = 0;  ///< known, but stored again so that files do not shatter
  uint64_t defrag_prevented_dedup_chunks = 0;
  uint64_t compressed_bytes = 0;     ///< packed size of the new chunks, headers included
  uint64_t xorb_bytes_uploaded = 0;  ///< sent for xorbs; nothing for a xorb that the store had
  uint64_t shard_bytes_uploaded = 0;
  uint64_t total_bytes_uploaded = 0;  ///< sum of the two

  XET_EXPORT DeduplicationMetrics& operator+=(const DeduplicationMetrics& other);
};

enum class Sha256Policy : uint8_t { kCompute, kSkip, kProvided };

/// One uploaded (or planned, or hashed) file.
struct FileReport {
  std::string name;  ///< path or name as given
  FileHash hash;
  uint64_t size_bytes = 0;
  std::optional<Sha256Digest> sha256;
  DeduplicationMetrics metrics;  ///< the file's own part; upload byte counts are per session only
};

/// How one file is to be treated.
struct FileOptions {
  Sha256Policy sha256 = Sha256Policy::kCompute;
  std::optional<Sha256Digest> provided_sha256 = {};  ///< for kProvided; stored as given, not checked
  std::shared_ptr<FileProgress> progress = {};       ///< of uploads: counted in, when there is one
  /// Of uploads: called when the file has been read and deduplicated, or has failed, from a thread of the
  /// library; must be short and not call the session. The metrics may still change, and nothing is stored
  /// yet: both are for commit() to tell. Not called for what the end of the session cut off, and once more
  /// for each file when commit() has to begin anew.
  std::function<void(const Result<FileReport>&)> on_read = {};
};

/// One chunk of a file, in order.
struct FileChunk {
  uint64_t offset = 0;
  uint32_t len_bytes = 0;
  ChunkHash hash;
};

struct UploadOptions {
  SessionOptions session;
  /// Read, chunk, deduplicate and compress, but store nothing.
  bool dry_run = false;
  /// A failed file fails the session, when all files are through and before any of the last shard's is
  /// registered. Files of earlier shards (a session of many files has several) stay stored.
  bool all_or_nothing = false;
};

struct UploadReport {
  /// In the order in which files were added; an error names its file. A failed file does not fail the others.
  std::vector<Result<FileReport>> files;
  DeduplicationMetrics metrics;
};

/// A push source inside an upload session. Bytes may come in pieces of any size. Use from one thread at a
/// time. Dropping it without finish() fails the file with kCancelled.
class XET_EXPORT UploadStream {
 public:
  class Impl;
  explicit UploadStream(std::shared_ptr<Impl> impl);
  ~UploadStream();
  UploadStream(UploadStream&&) noexcept;
  UploadStream& operator=(UploadStream&&) noexcept;

  /// Copies `bytes`. Blocks while the session's memory is full. An error is the session's, and final.
  Status write(std::span<const std::byte> bytes);
  /// Says that the file is complete.
  Status finish();
  /// A write() that waits ends with kCancelled, and so do later ones; the file cannot be finished any more.
  /// From any thread.
  void cancel();

 private:
  std::shared_ptr<Impl> impl_;
};

/// One upload: files are added, then commit() makes them all readable. Files are read as one sequence in the
/// order they were added, so the same input gives the same xorbs. Thread-safe; a destructor without commit()
/// cancels.
///
///     UploadSession session(client, {});
///     session.add_file("model.safetensors");
///     Result<UploadReport> report = session.commit();
class XET_EXPORT UploadSession {
 public:
  class Impl;
  UploadSession(const std::shared_ptr<Client>& client, UploadOptions options);
  ~UploadSession();
  UploadSession(const UploadSession&) = delete;
  UploadSession& operator=(const UploadSession&) = delete;

  /// Queues a file (or pipe) and returns its index in the report. Work starts at once in the background.
  size_t add_file(const std::filesystem::path& path, const FileOptions& options = {});
  /// Queues bytes that must stay valid until commit() returns or the session is gone.
  size_t add_bytes(std::string name, std::span<const std::byte> bytes, const FileOptions& options = {});
  UploadStream add_stream(std::string name, FileOptions options = {});

  /// Waits until everything is durable in the store. The error is one of the whole session (store
  /// unreachable, cancelled); then no file of it counts as stored. May be called once, and nothing may be
  /// added meanwhile.
  ///
  /// A store that does not have what earlier uploads noted of it (it was made anew) is uploaded to once more
  /// without these notes, if all sources are regular files and bytes; progress begins anew then. With streams
  /// and pipes that is kNotFound.
  Result<UploadReport> commit();

  /// Now. From any thread, also during commit().
  Progress progress() const;

 private:
  std::shared_ptr<Impl> impl() const;
  void replace(std::shared_ptr<Impl> next);

  mutable std::mutex mutex_;
  std::shared_ptr<Impl>
      impl_;  // guarded by the mutex: commit() may put another one in its place; null meanwhile
};

/// Xet hash and size of files, without any store: the same reading, chunking and hashing as an upload, on all
/// cores. `options.sha256` decides whether the SHA-256 is made too. Results in input order. Blocks.
XET_EXPORT std::vector<Result<FileReport>> hash_files(
    const std::shared_ptr<Client>& client, const std::vector<std::filesystem::path>& paths,
    const FileOptions& options = {.sha256 = Sha256Policy::kSkip}, const SessionOptions& session = {});

/// The chunks of one file, in order. `on_chunks` gets them in batches, from one thread at a time. Blocks.
XET_EXPORT Result<FileReport> chunk_file(const std::shared_ptr<Client>& client,
                                         const std::filesystem::path& path,
                                         const std::function<void(std::span<const FileChunk>)>& on_chunks,
                                         const SessionOptions& session = {});

}  // namespace xet
