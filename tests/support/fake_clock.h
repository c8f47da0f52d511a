#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "base/clock.h"

namespace xet::testing {

/// Time that stands still until a test moves it. Whoever waits by this clock notices soon after. Thread-safe.
class FakeClock final : public Clock {
 public:
  std::chrono::steady_clock::time_point now() const override {
    return std::chrono::steady_clock::time_point(std::chrono::milliseconds(now_ms_.load()));
  }
  std::chrono::system_clock::time_point wall_now() const override {
    return std::chrono::system_clock::time_point(
        std::chrono::milliseconds(1'700'000'000'000 + now_ms_.load()));
  }
  void wait_until(std::condition_variable& changed, std::unique_lock<std::mutex>& lock,
                  std::chrono::steady_clock::time_point until) const override {
    // advance() knows nothing of the waiters, so they look again often.
    if (now() < until) changed.wait_for(lock, std::chrono::milliseconds(1));
  }
  void advance(std::chrono::milliseconds by) { now_ms_ += by.count(); }

 private:
  std::atomic<int64_t> now_ms_{1};
};

}  // namespace xet::testing
