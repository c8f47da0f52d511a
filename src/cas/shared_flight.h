#pragma once

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <stop_token>
#include <utility>

#include "base/sync.h"
#include "cas/cas.h"

namespace xet::cas {

/// Work whose outcome many callers want at once: the first begins it, those who come while it is under way
/// share its outcome, whoever comes later begins anew. A caller whose stop token fires gets kCancelled at
/// once; when all have gone, the work is stopped. `T` is copied to each. Thread-safe; may be destroyed while
/// work is under way, if that is stopped or waited for elsewhere.
template <class T>
class SharedFlight {
 public:
  using Work = UniqueFunction<void(std::stop_token, Callback<T>)>;

  /// `work` is used only when none is under way; then it is called before this returns.
  void join(std::stop_token stop, Callback<T> done, Work work) {
    const auto waiter = std::make_shared<Waiter>();
    waiter->done = std::move(done);
    std::shared_ptr<Flight> flight;
    bool begins = false;
    {
      auto current = current_->lock();
      if (*current == nullptr) {
        *current = std::make_shared<Flight>();
        begins = true;
      }
      flight = *current;
      flight->waiters.push_back(waiter);
    }
    // Before the work begins, because its outcome may come before this returns.
    waiter->on_stop.emplace(std::move(stop), OnStop{current_, flight, waiter});
    if (!begins) return;
    work(flight->stop.get_token(),
         [current = current_, flight](const Result<T>& outcome) { land(*current, flight, outcome); });
  }

 private:
  struct OnStop;
  struct Waiter {
    Callback<T> done;
    std::optional<std::stop_callback<OnStop>> on_stop;
  };
  struct Flight {
    std::stop_source stop;
    std::list<std::shared_ptr<Waiter>> waiters;  // under the lock of `current_`
  };
  using Current = Sync<std::shared_ptr<Flight>>;

  struct OnStop {
    // weak: the waiter owns this, and `current` the waiter
    std::weak_ptr<Current> current;
    std::weak_ptr<Flight> flight;
    std::weak_ptr<Waiter> waiter;
    void operator()() const {
      const auto strong_current = current.lock();
      const auto strong_flight = flight.lock();
      const auto strong_waiter = waiter.lock();
      if (strong_current == nullptr || strong_flight == nullptr || strong_waiter == nullptr) return;
      bool is_last = false;
      {
        auto now = strong_current->lock();
        auto& waiters = strong_flight->waiters;
        if (waiters.remove(strong_waiter) == 0) return;  // it has its outcome
        is_last = waiters.empty();
        if (is_last && *now == strong_flight) now->reset();
      }
      strong_waiter->done(fail(ErrorCode::kCancelled, "cancelled"));
      if (is_last) strong_flight->stop.request_stop();
    }
  };

  static void land(Current& current, const std::shared_ptr<Flight>& flight, const Result<T>& outcome) {
    std::list<std::shared_ptr<Waiter>> waiters;
    {
      auto now = current.lock();
      if (*now == flight) now->reset();
      waiters.swap(flight->waiters);
    }
    for (const auto& waiter : waiters) {
      waiter->on_stop.reset();
      waiter->done(outcome);
    }
  }

  // Shared with the callbacks, which may come after this object is gone.
  std::shared_ptr<Current> current_ = std::make_shared<Current>(nullptr);
};

}  // namespace xet::cas
