#include "libxet/poller.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "libxet/limit.h"

namespace xet::detail {

Poller::Poller(std::function<bool()> tick, std::chrono::milliseconds interval)
    : tick_(std::move(tick)), interval_(std::max(interval, std::chrono::milliseconds(1))) {
  if (!tick_) return;
  thread_ = std::thread([this] {
    runs_on_.store(std::this_thread::get_id(), std::memory_order_relaxed);
    run();
    runs_on_.store({}, std::memory_order_relaxed);
  });
}

Poller::~Poller() {
  stop();
}

void Poller::request_stop() {
  auto quit = quit_.lock();
  *quit = true;
  wake_.notify_all();
}

void Poller::stop() {
  request_stop();
  if (is_own_thread()) return;
  auto joined = joined_.lock();
  if (std::exchange(*joined, true) || !thread_.joinable()) return;
  thread_.join();
}

void Poller::run() {
  for (;;) {
    {
      auto quit = quit_.lock();
      if (quit.wait_until(system_clock(), wake_, end_of(interval_), [&] { return *quit; })) return;
    }
    if (!tick_()) return;
  }
}

}  // namespace xet::detail
