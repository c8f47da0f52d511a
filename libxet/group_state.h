#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <optional>
#include <stop_token>
#include <thread>

#include "base/sync.h"
#include "xet/session.h"

namespace xet::detail {

/// Where a commit or a download group stands, and the thread that finishes it. Thread-safe.
///
///     running -> finalizing -> completed | failed          cancelled, from running and finalizing
class GroupState {
 public:
  TaskState state() const { return status_.lock()->state; }
  std::optional<Error> error() const { return status_.lock()->error; }
  bool is_over() const { return is_over(*status_.lock()); }
  /// Ok when the group has completed; why not, or kInternal before the end.
  Status outcome() const;

  /// Ok while things may be added; otherwise why not.
  Status check_running() const;
  /// Starts finalizing: `work`, on a thread of its own, says how it ended. Fails like check_running(). Never
  /// waits for work, so it may be called with locks held that the work takes.
  Status begin(std::function<Status()> work);
  /// Ends the group instead of its work, and leaves `rest` to the thread that would have done that. False
  /// when it is over already.
  bool fail(Error error, std::function<void()> rest);
  /// Ends the group before or instead of its work. False when it is over already.
  bool cancel();

  /// Until the group is over; when it was cancelled, that does not wait for the work.
  bool wait_for(std::chrono::milliseconds limit) const;
  /// Waits for the work, if any was begun. Not from it.
  void join();

 private:
  struct Current {
    TaskState state = TaskState::kRunning;
    std::optional<Error> error;
  };
  static bool is_over(const Current& current) {
    return current.state != TaskState::kRunning && current.state != TaskState::kFinalizing;
  }
  static Status refusal(const Current& current);
  bool end(TaskState state, std::optional<Error> error);
  Status start(std::function<void()> work);

  mutable Sync<Current> status_;
  mutable std::condition_variable changed_;
  Sync<std::thread> worker_;  // held while joining: several may wait. Set while the state is first left
};

}  // namespace xet::detail
