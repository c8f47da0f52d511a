#pragma once

#include <chrono>

namespace xet {

using Deadline = std::chrono::steady_clock::time_point;
inline constexpr Deadline kNoDeadline = Deadline::max();

/// Time as the layers see it. Production code is handed `system_clock()`, tests a fake. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::chrono::steady_clock::time_point now() const = 0;
  virtual std::chrono::system_clock::time_point wall_now() const = 0;
};

/// The machine's clocks. Lives for ever.
const Clock& system_clock();

}  // namespace xet
