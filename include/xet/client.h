#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "xet/config.h"
#include "xet/export.h"
#include "xet/hash.h"
#include "xet/result.h"

namespace xet {

/// Half-open range of bytes of a file; `end` is cut at the end of the file.
struct FileRange {
  uint64_t begin = 0;
  uint64_t end = UINT64_MAX;
};

/// How far the shards of an upload are: what registers its files, at the end.
struct ShardProgress {
  uint64_t total = 0;  ///< shards begun to be sent
  uint64_t done = 0;
  uint64_t total_bytes = 0;
  uint64_t sent_bytes = 0;
  uint64_t uploaded = 0;       ///< stored
  uint64_t synced = 0;         ///< known to every part of the store
  uint64_t total_entries = 0;  ///< that the store has to verify; xorbs and files of the shards
  uint64_t verified_entries = 0;
};

/// A snapshot of a running transfer. Byte counts only grow; totals grow while files are still being found.
struct Progress {
  uint64_t total_bytes = 0;  ///< logical bytes asked for, as far as known
  uint64_t done_bytes =
      0;  ///< logical bytes read and deduplicated (upload), or verified and written (download)
  uint64_t transfer_bytes = 0;  ///< packed bytes sent to or received from the store
  /// What deduplication left to transfer, as far as known: unpacked bytes of new xorbs (upload), packed bytes
  /// (download). What the store turns out to have counts as transferred.
  uint64_t total_new_bytes = 0;
  uint64_t done_new_bytes = 0;
  ShardProgress shards;  ///< of uploads
  uint64_t total_files = 0;
  uint64_t done_files = 0;
  bool has_speed = false;                ///< enough was seen for what follows
  double bytes_per_second = 0;           ///< done_bytes over the last seconds
  double transfer_bytes_per_second = 0;  ///< transfer_bytes over the last seconds
  double new_bytes_per_second = 0;       ///< done_new_bytes over the last seconds
};

/// How far one file is. Shared between the caller, who reads it at any time, and the session, which counts in
/// it while it transfers the file. The counters stand alone: no order between them is promised.
struct FileProgress {
  std::atomic<uint64_t> total_bytes{0};  ///< as far as known; grows where the size is not known before
  std::atomic<uint64_t> done_bytes{0};   ///< as in Progress
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
  /// What Progress calls the last seconds, and how often it has to be looked at before it tells a speed.
  std::chrono::milliseconds speed_window{5'000};
  size_t speed_min_samples = 2;
  /// A session waits at its start until its client has memory for it. False: when there is none it takes 64
  /// MiB beyond the client's limit instead, for callers that hold any number of sessions open on one thread.
  bool may_wait_for_memory = true;
};

/// A token that a store asks for, and until when it is good.
struct AccessToken {
  std::string text;
  uint64_t expires_at_s = UINT64_MAX;  ///< Unix seconds
};

/// How to talk to an http(s) endpoint; other stores need nothing of it.
struct HttpOptions {
  std::optional<AccessToken> token;
  /// Gives a new token; called shortly before the old one ends, by one thread at a time, and may block.
  std::function<Result<AccessToken>()> refresh;
  /// The same by a URL: a GET that answers {"casUrl", "exp", "accessToken"}, as Hubs do, sent with these
  /// headers. `refresh` goes first.
  std::string refresh_url;
  std::vector<std::pair<std::string, std::string>> refresh_headers;
  /// Sent with every request, also to the hosts that serve the bytes of xorbs: never a secret of the store.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string user_agent;  ///< empty: "libxet/VERSION"
  std::string session_id;  ///< names all requests of this client in the logs of servers; empty: a random one
  /// Told in one line, for people: a setting of the environment that has no effect, a request that failed and
  /// is repeated. From any thread; must be short. Never holds a secret.
  std::function<void(std::string_view)> on_notice;
};

struct ClientOptions {
  size_t threads = 0;  ///< for hashing, packing and decoding; 0 means one per usable core
  size_t max_memory_bytes = size_t{256}
                            << 20;  ///< buffers of all sessions of the client together; at least 64 MiB
  std::optional<Config> config;     ///< nothing: from the environment
  HttpOptions http;
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
