#pragma once

#include <chrono>
#include <condition_variable>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/sync.h"
#include "libxet/limit.h"
#include "xet/result.h"

namespace xet::detail {

/// A result that comes once, and that any number of threads may wait for and look at. Thread-safe.
template <class T>
class Pending {
 public:
  /// The first one counts.
  void set(Result<T> result) {
    auto state = state_.lock();
    if (state->has_value()) return;
    state->emplace(std::move(result));
    ready_.notify_all();
  }

  bool wait_for(std::chrono::milliseconds limit) {
    auto state = state_.lock();
    return state.wait_until(system_clock(), ready_, end_of(limit), [&] { return state->has_value(); });
  }

  std::optional<Result<T>> peek() { return *state_.lock(); }

 private:
  Sync<std::optional<Result<T>>> state_;
  std::condition_variable ready_;
};

}  // namespace xet::detail
