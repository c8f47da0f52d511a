#include "server/http/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <string_view>

#include "server/http/route.h"

namespace xet::http {

namespace {

// Upper bounds in microseconds; the last bucket has none.
constexpr std::array<uint64_t, 14> kBounds = {1'000,     2'500,     5'000,      10'000,    25'000,
                                              50'000,    100'000,   250'000,    500'000,   1'000'000,
                                              2'500'000, 5'000'000, 15'000'000, 60'000'000};
// Statuses that the server gives; others would be counted as 0.
constexpr std::array<int, 23> kStatuses = {0,   200, 201, 206, 304, 400, 401, 403, 404, 405, 408, 412,
                                           413, 414, 416, 417, 422, 431, 499, 500, 503, 505, 507};

size_t index_of_status(int status) {
  const auto* const found = std::ranges::find(kStatuses, status);
  return found == kStatuses.end() ? 0 : static_cast<size_t>(found - kStatuses.begin());
}

size_t open_files() {
  std::error_code error;
  const auto entries = std::filesystem::directory_iterator("/proc/self/fd", error);
  return error ? 0 : static_cast<size_t>(std::distance(begin(entries), end(entries)));
}

class Text {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help) {
    fmt::format_to(std::back_inserter(out_), "# HELP {0} {2}\n# TYPE {0} {1}\n", name, type, help);
  }
  template <class Number>
  void sample(std::string_view name_and_labels, Number value) {
    fmt::format_to(std::back_inserter(out_), "{} {}\n", name_and_labels, value);
  }
  void counter(std::string_view name, std::string_view help, const Counter& value) {
    family(name, "counter", help);
    sample(name, value.load(std::memory_order_relaxed));
  }
  template <class Number>
  void gauge(std::string_view name, std::string_view help, Number value) {
    family(name, "gauge", help);
    sample(name, value);
  }
  std::string finish() { return std::move(out_); }

 private:
  std::string out_;
};

}  // namespace

struct Metrics::PerRoute {
  std::array<Counter, kStatuses.size()> by_status{};
  std::array<Counter, kBounds.size() + 1> by_time{};
  Counter microseconds{0};
};

Metrics::Metrics() : n_routes_(routes().size()), per_route_(std::make_unique<PerRoute[]>(n_routes_ + 1)) {}
Metrics::~Metrics() = default;

Metrics::PerRoute& Metrics::of(const Route* route) const {
  return per_route_[route ? static_cast<size_t>(route - routes().data()) : n_routes_];
}

void Metrics::answered(const Route* route, int status, std::chrono::microseconds took) {
  auto& counts = of(route);
  const auto micros = static_cast<uint64_t>(std::max<int64_t>(took.count(), 0));
  const auto bucket = static_cast<size_t>(std::ranges::lower_bound(kBounds, micros) - kBounds.begin());
  counts.by_status[index_of_status(status)].fetch_add(1, std::memory_order_relaxed);
  counts.by_time[bucket].fetch_add(1, std::memory_order_relaxed);
  counts.microseconds.fetch_add(micros, std::memory_order_relaxed);
}

std::string Metrics::text(const Levels& levels) const {
  Text out;
  const auto label = [&](size_t i) {
    if (i == n_routes_) return std::string(R"(method="",route="")");
    return fmt::format(R"(method="{}",route="{}")", routes()[i].method, routes()[i].path);
  };
  out.family("xet_http_requests_total", "counter", "Answered requests");
  for (size_t i = 0; i <= n_routes_; ++i) {
    for (size_t s = 0; s < kStatuses.size(); ++s) {
      const auto n = per_route_[i].by_status[s].load(std::memory_order_relaxed);
      if (n > 0)
        out.sample(fmt::format("xet_http_requests_total{{{},status=\"{}\"}}", label(i), kStatuses[s]), n);
    }
  }
  out.family("xet_http_request_seconds", "histogram", "From a request's header to the end of its answer");
  for (size_t i = 0; i <= n_routes_; ++i) {
    uint64_t total = 0;
    for (const auto& count : per_route_[i].by_time) total += count.load(std::memory_order_relaxed);
    if (total == 0) continue;
    uint64_t below = 0;
    for (size_t b = 0; b < kBounds.size(); ++b) {
      below += per_route_[i].by_time[b].load(std::memory_order_relaxed);
      out.sample(fmt::format("xet_http_request_seconds_bucket{{{},le=\"{}\"}}", label(i),
                             static_cast<double>(kBounds[b]) / 1e6),
                 below);
    }
    out.sample(fmt::format("xet_http_request_seconds_bucket{{{},le=\"+Inf\"}}", label(i)), total);
    out.sample(fmt::format("xet_http_request_seconds_sum{{{}}}", label(i)),
               static_cast<double>(per_route_[i].microseconds.load(std::memory_order_relaxed)) / 1e6);
    out.sample(fmt::format("xet_http_request_seconds_count{{{}}}", label(i)), total);
  }
  out.counter("xet_connections_accepted_total", "Connections accepted", connections_accepted);
  out.gauge("xet_connections_open", "Connections open now", connections_open.load(std::memory_order_relaxed));
  out.counter("xet_connections_timed_out_total", "Requests given up because the client was too slow",
              timed_out);
  out.gauge("xet_body_slots", "Xorb and shard bodies that are taken in at the same time, at most",
            levels.slots);
  out.gauge("xet_body_slots_used", "Those under way", levels.slots_used);
  out.counter("xet_body_slots_refused_total", "Requests answered 503 because no slot became free",
              slots_refused);
  out.counter("xet_body_bytes_received_total", "Bytes of request bodies", body_bytes_in);
  out.counter("xet_body_bytes_sent_total", "Bytes of answer bodies", body_bytes_out);
  out.counter("xet_data_bytes_sent_total", "Bytes of xorbs sent by signed URL", data_bytes_out);
  out.counter("xet_xorb_bytes_received_total", "Bytes of xorb bodies", xorb_bytes_in);
  out.counter("xet_xorbs_stored_total", "Xorbs stored", xorbs_new);
  out.counter("xet_xorbs_known_total", "Xorbs sent that were stored already", xorbs_known);
  out.counter("xet_xorb_grants_known_total", "Grant requests answered: stored already", xorbs_granted);
  out.counter("xet_shards_registered_total", "Shards registered", shards_new);
  out.counter("xet_shards_known_total", "Shards that were registered already", shards_known);
  out.counter("xet_dedup_hits_total", "Dedup queries answered with a shard", dedup_hits);
  out.counter("xet_dedup_misses_total", "Dedup queries answered with nothing", dedup_misses);
  out.counter("xet_telemetry_total", "Telemetry documents dropped", telemetry);
  out.family("xet_verify_failures_total", "counter", "Uploads refused because they are not what they say");
  out.sample(R"(xet_verify_failures_total{kind="xorb"})", bad_xorbs.load(std::memory_order_relaxed));
  out.sample(R"(xet_verify_failures_total{kind="shard"})", bad_shards.load(std::memory_order_relaxed));
  out.sample(R"(xet_verify_failures_total{kind="checksum"})", bad_checksums.load(std::memory_order_relaxed));
  out.counter("xet_stale_reference_total", "Shards refused because they name a xorb that is not stored",
              stale_references);
  out.counter("xet_store_failures_total", "Requests answered 500", store_failures);
  out.gauge("xet_ready", "1 while the store takes writes", levels.ready ? 1 : 0);
  out.gauge("process_open_fds", "Open file descriptors", open_files());
  if (const auto* store = levels.store) {
    out.gauge("xet_store_xorbs", "Usable xorbs", store->xorbs);
    out.gauge("xet_store_shards", "Registered shards", store->shards);
    out.gauge("xet_store_files", "Registered files", store->files);
    out.gauge("xet_store_repositories", "Repositories", store->repositories);
    out.gauge("xet_store_logical_bytes", "Sum of the sizes of all files", store->logical_bytes);
    out.gauge("xet_store_unpacked_bytes", "Bytes of the chunks in usable xorbs", store->unpacked_bytes);
    out.gauge("xet_store_stored_bytes", "Bytes of usable xorbs on disk", store->stored_bytes);
    if (store->free_bytes)
      out.gauge("xet_store_free_bytes", "Bytes free where objects lie", *store->free_bytes);
  }
  return out.finish();
}

}  // namespace xet::http
