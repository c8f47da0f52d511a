#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <vector>

#include "xet/client.h"
#include "xet/export.h"
#include "xet/hash.h"
#include "xet/result.h"

namespace xet {

struct DownloadedFile {
  std::filesystem::path destination;
  FileHash hash;
  uint64_t size_bytes = 0;  ///< bytes written
  /// The whole file was rebuilt and its root compared. False for ranges, of which each chunk was checked as
  /// far as the store tells chunk hashes.
  bool verified = false;
};

struct DownloadRequest {
  FileHash file;
  std::filesystem::path
      destination;  ///< parent directories are made; an existing file is replaced at the end
  std::optional<uint64_t> size_bytes;      ///< expected size of the whole file, checked when given
  std::optional<FileRange> range;          ///< nothing: the whole file
  std::optional<Sha256Digest> sha256;      ///< kept for the report only
  std::stop_token stop;                    ///< ends this file with kCancelled, and no other
  std::shared_ptr<FileProgress> progress;  ///< counted in, when there is one
  /// Called when the file is in its place, or has failed, from a thread of the library; must be short and not
  /// call the session. Not called for what the end of the session cut off before it had begun.
  std::function<void(const Result<DownloadedFile>&)> on_done;
};

/// How many files any number of download sessions have under way at once. Thread-safe; must outlive no one:
/// the sessions keep it.
class XET_EXPORT DownloadGate {
 public:
  explicit DownloadGate(size_t max_files);  ///< at least 1
  ~DownloadGate();
  class Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

struct DownloadOptions {
  SessionOptions session;
  std::shared_ptr<DownloadGate> gate;  ///< nothing: 16 files of this session
};

/// Downloads files, several at once. A file appears under its name only when every byte of it is verified; a
/// failed one leaves nothing behind. Thread-safe; a destructor without wait() cancels.
class XET_EXPORT DownloadSession {
 public:
  class Impl;
  DownloadSession(const std::shared_ptr<Client>& client, DownloadOptions options);
  ~DownloadSession();
  DownloadSession(const DownloadSession&) = delete;
  DownloadSession& operator=(const DownloadSession&) = delete;

  /// Queues a file and returns its index in the results of wait(). Work starts at once in the background.
  size_t add(DownloadRequest request);

  /// Waits for all files, in the order they were added. An error names its file and does not fail the others.
  std::vector<Result<DownloadedFile>> wait();

  /// Now. From any thread.
  Progress progress() const;

 private:
  std::shared_ptr<Impl> impl_;
};

/// Delivers a file, or a range of it, in order to `sink`, which is called from one thread at a time with
/// pieces of at most 128 KiB; an error from the sink ends the download with it. Returns the number of bytes
/// delivered.
///
/// Bytes are delivered as soon as their chunk is there and, where the store tells chunk hashes, checked. The
/// root of a whole file is known only after the last byte: kCorruption then means that wrong bytes have been
/// delivered already.
XET_EXPORT Result<uint64_t> stream_file(const std::shared_ptr<Client>& client, const FileHash& file,
                                        std::optional<FileRange> range,
                                        const std::function<Status(std::span<const std::byte>)>& sink,
                                        const SessionOptions& session = {});

}  // namespace xet
