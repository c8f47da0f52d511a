#pragma once

#include <algorithm>
#include <chrono>

#include "base/clock.h"

namespace xet::detail {

/// When a wait of `limit` that begins now is over; kNoDeadline for one that is longer than a clock can say.
inline Deadline end_of(std::chrono::milliseconds limit) {
  const auto now = system_clock().now();
  const auto most = std::chrono::floor<std::chrono::milliseconds>(kNoDeadline - now);
  return limit < most ? now + std::max(limit, std::chrono::milliseconds(0)) : kNoDeadline;
}

}  // namespace xet::detail
