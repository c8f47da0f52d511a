#include "libxet/poller.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"

namespace xet::detail {

Poller::Poller(std::function<bool()> tick, std::chrono::milliseconds interval)
    : tick_(std::move(tick)), interval_(std::max(interval, std::chrono::milliseconds(1))) {
  if (tick_) thread_ = std::thread([this] { run(); });
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
      if (quit.wait_until(system_clock(), wake_, system_clock().now() + interval_, [&] { return *quit; }))
        return;
    }
    if (!tick_()) return;
  }
}

}  // namespace xet::detail
