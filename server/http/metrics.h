#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "server/core/cas_service.h"

namespace xet::http {

struct Route;

/// A number that only grows, or a level. Relaxed: nothing is decided by it.
using Counter = std::atomic<uint64_t>;

/// What the server counts, and its text for Prometheus. No hashes, paths or tokens become labels.
/// Thread-safe.
class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  /// `route` null: none was found.
  void answered(const Route* route, int status, std::chrono::microseconds took);

  Counter connections_accepted{0};
  Counter connections_open{0};
  Counter timed_out{0};      ///< connections closed because nothing, or too little, came
  Counter slots_refused{0};  ///< 503 because all slots were taken
  Counter body_bytes_in{0};
  Counter body_bytes_out{0};
  Counter data_bytes_out{0};  ///< of xorbs, by signed URL
  Counter xorbs_new{0};
  Counter xorbs_known{0};
  Counter xorbs_granted{0};
  Counter xorb_bytes_in{0};
  Counter shards_new{0};
  Counter shards_known{0};
  Counter dedup_hits{0};
  Counter dedup_misses{0};
  Counter telemetry{0};
  Counter bad_xorbs{0};  ///< refused because they are not what they say
  Counter bad_shards{0};
  Counter bad_checksums{0};     ///< uploads by grant that were changed on the way
  Counter stale_references{0};  ///< shards refused because they name a xorb that is not there
  Counter store_failures{0};

  /// What is not counted here but asked for when the text is made.
  struct Levels {
    bool ready = true;
    size_t slots = 0;
    size_t slots_used = 0;
    const core::StoreStats* store = nullptr;  ///< null: not to be had
  };
  std::string text(const Levels& levels) const;

 private:
  struct PerRoute;
  PerRoute& of(const Route* route) const;
  const size_t n_routes_;
  const std::unique_ptr<PerRoute[]> per_route_;  // one more than there are routes: for none
};

}  // namespace xet::http
