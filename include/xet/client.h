#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "xet/export.h"
#include "xet/hash.h"
#include "xet/result.h"

namespace xet {

/// Half-open range of bytes of a file; `end` is cut at the end of the file.
struct FileRange {
  uint64_t begin = 0;
  uint64_t end = UINT64_MAX;
};

/// A snapshot of a running transfer. Byte counts only grow; totals grow while files are still being found.
struct Progress {
  uint64_t total_bytes = 0;  ///< logical bytes asked for, as far as known
  uint64_t done_bytes =
      0;  ///< logical bytes read and deduplicated (upload), or verified and written (download)
  uint64_t transfer_bytes = 0;  ///< packed bytes sent to or received from the store
  uint64_t total_files = 0;
  uint64_t done_files = 0;
  double bytes_per_second = 0;           ///< done_bytes over the last seconds
  double transfer_bytes_per_second = 0;  ///< transfer_bytes over the last seconds
};

/// Called from one background thread, never twice at once; must not call back into the session.
using ProgressCallback = std::function<void(const Progress&)>;

/// What every session takes.
struct SessionOptions {
  std::stop_token stop;  ///< firing it ends all work of the session soon, with kCancelled
  std::chrono::steady_clock::time_point deadline =
      std::chrono::steady_clock::time_point::max();  ///< then kDeadline
  ProgressCallback progress;
  std::chrono::milliseconds progress_interval{100};
};

struct ClientOptions {
  size_t threads = 0;  ///< for hashing, packing and decoding; 0 means one per usable core
  size_t max_memory_bytes = size_t{256}
                            << 20;  ///< buffers of all sessions of the client together; at least 64 MiB
};

/// A connection to one store, with the threads and the memory that its sessions share. Made by
/// open_endpoint(). Thread-safe. Sessions keep what they need of it alive.
class XET_EXPORT Client {
 public:
  class Impl;
  explicit Client(std::shared_ptr<Impl> impl);
  ~Client();

  /// Logical size of a file; kNotFound when the store does not know it. Blocks.
  Result<uint64_t> file_size(const FileHash& file, std::stop_token stop = {}) const;

  const std::shared_ptr<Impl>& impl() const { return impl_; }

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace xet
