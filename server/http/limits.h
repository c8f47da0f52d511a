#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace xet::http {

/// What the server allows, with what it takes when nobody says otherwise (docs/serve.md has the table). 0
/// means "derived from the number of cores" where a comment says so; everything else is taken literally.
struct ServerLimits {
  // --- Sizes, in bytes
  size_t header_bytes = 32 * 1024;            ///< request line and header fields together; more: 431
  uint64_t xorb_body_bytes = 66ULL << 20;     ///< 64 MiB of chunks, their headers, and a footer
  uint64_t shard_body_bytes = 96ULL << 20;    ///< 64 MiB, and the tables that some clients send behind it
  uint64_t json_body_bytes = 1 << 20;         ///< grant requests, batches, telemetry
  uint64_t hub_body_bytes = 4 << 20;          ///< questions and lists of the Hub's routes
  uint64_t commit_body_bytes = 192ULL << 20;  ///< a commit, whose small files are in it
  uint64_t lfs_body_bytes = 1ULL << 40;       ///< a file that is uploaded as it is
  uint64_t shard_memory_bytes = 256ULL
                                << 20;  ///< of all shards and commits that are in memory at the same time
  uint64_t body_memory_bytes = 64ULL << 20;  ///< of all other bodies in memory

  // --- Counts
  size_t max_connections = 4096;  ///< more wait in the kernel's queue
  size_t body_slots = 0;          ///< xorb and shard bodies taken in at the same time; 0: cores * 8
  size_t max_ranges = 500;        ///< of one request for xorb bytes

  // --- Times
  std::chrono::milliseconds header{
      60'000};  ///< from a connection's begin or the first byte to the whole header
  std::chrono::milliseconds keep_alive{60'000};  ///< an idle connection is closed after it
  std::chrono::milliseconds idle{60'000};        ///< in which `progress_bytes` must move while a body is due
  size_t progress_bytes = 16 * 1024;             ///< see `idle`; less is enough at the end of a body
  std::chrono::milliseconds body{300'000};       ///< from a request's header to the last byte of its body
  std::chrono::milliseconds slot_wait{2'000};    ///< for a slot; then 503
  std::chrono::milliseconds heartbeat{15'000};   ///< between frames of a /v2/shards answer, at most
  std::chrono::milliseconds linger{5'000};  ///< reading on after an early error, so that the client sees it
  std::chrono::seconds retry_after{2};      ///< told to clients with a 503
  std::chrono::seconds url_lifetime{3600};  ///< of signed URLs and upload grants
};

}  // namespace xet::http
