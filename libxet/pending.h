#pragma once

#include <chrono>
#include <condition_variable>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/sync.h"
#include "libxet/limit.h"
#include "xet/result.h"
#include "xet/session.h"

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

  /// Of the task whose result this is.
  TaskState state() {
    auto result = state_.lock();
    if (!result->has_value()) return TaskState::kRunning;
    if (**result) return TaskState::kCompleted;
    return (*result)->error().code == ErrorCode::kCancelled ? TaskState::kCancelled : TaskState::kFailed;
  }

 private:
  Sync<std::optional<Result<T>>> state_;
  std::condition_variable ready_;
};

}  // namespace xet::detail
