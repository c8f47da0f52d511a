#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <thread>

#include "base/clock.h"
#include "base/sync.h"
#include "exec/thread_pool.h"

namespace xet::exec {

/// Runs tasks at given times, on one thread that exists only once something was scheduled. Tasks must be
/// short: they post to a strand. Times are those of the clock, which must outlive it. The destructor stops
/// it. Thread-safe.
class Timer {
 public:
  explicit Timer(const Clock& clock = system_clock()) : clock_(clock) {}
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void at(std::chrono::steady_clock::time_point when, Task task);
  /// Drops what has not begun, and whatever is scheduled from now on; waits for a task that runs. Not from a
  /// task.
  void stop();

 private:
  struct State {
    std::multimap<std::chrono::steady_clock::time_point, Task> due;
    bool stopped = false;
    bool started = false;
  };
  void run();

  const Clock& clock_;
  Sync<State> state_;
  std::condition_variable changed_;
  std::thread thread_;  // set once, under the lock
};

}  // namespace xet::exec
