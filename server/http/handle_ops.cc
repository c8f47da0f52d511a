// What operators and their machines ask.
#include <chrono>

#include "server/http/app.h"
#include "server/http/handlers.h"

namespace xet::http {

namespace {

constexpr std::chrono::seconds kStatsAge{30};

/// Counted anew when the last count is old; nullopt when it fails, which is no reason to have no metrics.
std::optional<core::StoreStats> store_stats(App& app) {
  const auto now = std::chrono::steady_clock::now();
  {
    auto kept = app.kept_stats.lock();
    if (kept->stats && now - kept->taken_at < kStatsAge) return kept->stats;
  }
  const auto counted = app.service.stats();
  if (!counted) {
    app.report("counting for metrics: " + counted.error().message);
    return std::nullopt;
  }
  auto kept = app.kept_stats.lock();
  kept->stats = *counted;
  kept->taken_at = now;
  return *counted;
}

}  // namespace

Answer tell_alive(App& /*app*/, const Request& /*request*/) {
  return text_answer(200, "ok");
}

Answer tell_ready(App& app, const Request& /*request*/) {
  if (app.draining.load(std::memory_order_relaxed)) return text_answer(503, "stopping");
  if (!app.service.healthy()) return text_answer(503, "the store only reads: a sync to disk has failed");
  return text_answer(200, "ready");
}

Answer tell_metrics(App& app, const Request& /*request*/) {
  const auto stats = store_stats(app);
  Answer out;
  out.content_type = "text/plain; version=0.0.4; charset=utf-8";
  out.body = app.metrics.text({.ready = app.service.healthy(),
                               .slots = static_cast<size_t>(app.slots.capacity()),
                               .slots_used = static_cast<size_t>(app.slots.used()),
                               .store = stats ? &*stats : nullptr});
  return out;
}

}  // namespace xet::http
