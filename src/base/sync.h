#pragma once

#include <condition_variable>
#include <mutex>
#include <utility>

#include "base/clock.h"

namespace xet {

/// A value that can only be reached with its mutex held: `state.lock()->count++`.
/// For waiting, keep the guard: `auto guard = state.lock(); guard.wait(cv, [&] { return guard->ready; });`
template <class T>
class Sync {
 public:
  template <class... Args>
  explicit Sync(Args&&... args) : value_(std::forward<Args>(args)...) {}

  class Guard {
   public:
    T* operator->() { return value_; }
    T& operator*() { return *value_; }
    /// Also returns for no reason.
    template <class ConditionVariable>
    void wait(ConditionVariable& cv) {
      cv.wait(lock_);
    }
    template <class ConditionVariable, class Predicate>
    void wait(ConditionVariable& cv, Predicate predicate) {
      cv.wait(lock_, std::move(predicate));
    }
    /// False when it is `until` by the clock and the predicate still does not hold.
    template <class Predicate>
    bool wait_until(const Clock& clock, std::condition_variable& cv, Deadline until, Predicate predicate) {
      while (!predicate()) {
        if (clock.now() >= until) return predicate();
        clock.wait_until(cv, lock_, until);
      }
      return true;
    }

   private:
    friend class Sync;
    Guard(std::mutex& mutex, T& value) : lock_(mutex), value_(&value) {}
    std::unique_lock<std::mutex> lock_;
    T* value_;
  };

  Guard lock() { return Guard(mutex_, value_); }

 private:
  std::mutex mutex_;
  T value_;
};

}  // namespace xet
