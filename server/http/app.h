#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/sync.h"
#include "exec/thread_pool.h"
#include "server/core/cas_service.h"
#include "server/core/signed_url.h"
#include "server/core/tokens.h"
#include "server/http/answer.h"
#include "server/http/limits.h"
#include "server/http/metrics.h"
#include "server/http/permits.h"
#include "server/http/request.h"
#include "server/http/standing.h"
#include "server/hub/hub.h"
#include "server/hub/lfs_upload.h"

namespace xet::http {

/// What all connections of a server share. Thread-safe as its parts are; what is not const is atomic or
/// locked.
struct App {
  App(core::CasService& cas, const ServerLimits& resolved_limits, size_t work_threads, size_t sync_threads)
      : service(cas),
        limits(resolved_limits),
        slots(limits.body_slots),
        shard_memory(limits.shard_memory_bytes),
        body_memory(limits.body_memory_bytes),
        work(std::make_unique<exec::ThreadPool>(work_threads)),
        sync(std::make_unique<exec::ThreadPool>(sync_threads)) {}

  core::CasService& service;
  const ServerLimits limits;
  bool auth = true;
  bool tls = false;
  std::string public_url;    ///< empty: by the Host header
  std::string fallback_url;  ///< for requests without Host header
  const Clock* clock = nullptr;
  std::function<void(std::string_view)> access_log;
  std::function<void(std::string_view)> event_log;
  std::unique_ptr<core::TokenAuthority> tokens;
  std::unique_ptr<core::UrlSigner> signer;
  std::unique_ptr<hub::Hub> hub;  ///< none: only the CAS is served
  std::unique_ptr<hub::LfsUploads> lfs_uploads;

  Metrics metrics;
  Permits slots;                      ///< bodies under way
  Permits shard_memory;               ///< bytes of shards and commits in memory
  Permits body_memory;                ///< bytes of other bodies in memory
  Standing standing;                  ///< of tokens of the CAS that the Hub gave
  std::atomic<bool> draining{false};  ///< only ever becomes true; nothing is ordered by it
  std::stop_source cut_off;           ///< fires when patience with running requests has ended
  /// Counted rarely, for it takes a while.
  struct KeptStats {
    std::optional<core::StoreStats> stats;
    std::chrono::steady_clock::time_point taken_at;
  };
  Sync<KeptStats> kept_stats;

  // Their threads have to end before the connections' do, so whoever stops the server takes them away.
  std::unique_ptr<exec::ThreadPool> work;  ///< calls of the store
  std::unique_ptr<exec::ThreadPool> sync;  ///< those that wait for the disk

  void report(std::string_view line) const {
    if (event_log) event_log(line);
  }
  /// The answer to a failed call of the store; what clients are not told goes to the log.
  Answer failed(const Request& request, const Error& error, Blame blame);
  uint64_t expiry_of_urls() const;
  /// 16 hex digits that do not tell how many came before.
  std::string next_request_id();

 private:
  const uint64_t request_id_seed_ = std::random_device{}() * uint64_t{0x100000001} + 1;
  std::atomic<uint64_t> n_requests_{0};  // relaxed: only has to be different each time
};

/// What follows the scheme of an Authorization field, when it is this one; `scheme` in lower case.
std::optional<std::string_view> credentials_of(std::string_view authorization, std::string_view scheme);

/// Decides who is asking, and whether he may. The only place that does, for routes that need a token; an
/// answer means no.
struct Route;
std::optional<Answer> authorise(const App& app, const Route& route, const RequestHead& head, Caller& caller);

}  // namespace xet::http
