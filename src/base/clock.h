#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace xet {

using Deadline = std::chrono::steady_clock::time_point;
inline constexpr Deadline kNoDeadline = Deadline::max();

/// Time as the layers see it. Production code is handed `system_clock()`, tests a fake. Whoever compares
/// times with now() must also wait by the same clock. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::chrono::steady_clock::time_point now() const = 0;
  virtual std::chrono::system_clock::time_point wall_now() const = 0;
  /// Waits until `changed` is notified or it is `until` by this clock. May return for no reason, as any wait
  /// on a condition variable; use it through Sync.
  virtual void wait_until(std::condition_variable& changed, std::unique_lock<std::mutex>& lock,
                          std::chrono::steady_clock::time_point until) const = 0;
};

/// The machine's clocks. Lives for ever.
const Clock& system_clock();

/// Whole seconds from 1970 to `time`, rounded down; 0 for what is before.
uint64_t unix_seconds(std::chrono::system_clock::time_point time);
/// Milliseconds from 1970 to `time`, rounded down; negative before.
int64_t unix_milliseconds(std::chrono::system_clock::time_point time);

}  // namespace xet
