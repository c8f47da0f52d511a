#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <thread>

#include "base/sync.h"

namespace xet::detail {

/// Calls a function regularly from a thread of its own, first after one interval.
class Poller {
 public:
  /// `tick` says whether it wants to be called again. Without one there is no thread.
  Poller(std::function<bool()> tick, std::chrono::milliseconds interval);
  /// stop(); must not run on the thread.
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  /// No call begins after this; one may be under way.
  void request_stop();
  /// The same, and none is under way either, except when it is `tick` that calls this.
  void stop();
  bool is_own_thread() const {
    return std::this_thread::get_id() == runs_on_.load(std::memory_order_relaxed);
  }

 private:
  void run();

  const std::function<bool()> tick_;
  const std::chrono::milliseconds interval_;
  Sync<bool> quit_{false};
  std::condition_variable wake_;
  Sync<bool> joined_{false};  // held while joining: several may stop at once
  // None before and after: the next thread may get the same id. Only the thread that wrote an id finds itself
  // in it, so relaxed order is enough; `thread_` is not for asking while another one sets or joins it.
  std::atomic<std::thread::id> runs_on_{};
  std::thread thread_;
};

}  // namespace xet::detail
