#include "net/permits.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/sync.h"

namespace xet::net {

struct Permit::Core : std::enable_shared_from_this<Core> {
  struct CancelWaiter {
    Core* core;
    uint64_t id;
    void operator()() const { core->cancel(id); }
  };
  struct Waiter {
    uint64_t id = 0;
    UniqueFunction<void(Permit)> granted;
    std::unique_ptr<std::stop_callback<CancelWaiter>> on_stop;
  };
  struct State {
    explicit State(ConcurrencyController c) : controller(c) {}
    ConcurrencyController controller;
    size_t in_use = 0;
    uint64_t next_id = 0;
    // Waiters leave in the order of their ids, so the queue is sorted by them.
    std::deque<Waiter> waiters;
    std::vector<uint64_t> joining;  // have an id and can be cancelled, are not in the queue yet
    bool granting = false;          // a thread is in grant_what_there_is()
  };

  Core(const ConcurrencyBounds& bounds, const Clock& c)
      : clock(c), state(ConcurrencyController(bounds, c.now())) {}

  /// Hands permits out until there are none or nobody waits. One thread at a time does it, so the order
  /// holds, and a callback that releases its permit at once does not recurse: the loop of the outer call goes
  /// on.
  void grant_what_there_is();
  /// Puts it into the queue; false, and leaves it, when it was cancelled meanwhile.
  bool join(Waiter& waiter);
  void cancel(uint64_t id);
  void give_back();

  const Clock& clock;
  Sync<State> state;
};

void Permit::Core::grant_what_there_is() {
  const auto self = shared_from_this();
  {
    auto s = state.lock();
    if (s->granting) return;
    s->granting = true;
  }
  for (;;) {
    Waiter waiter;
    {
      auto s = state.lock();
      if (s->waiters.empty() || s->in_use >= s->controller.limit()) {
        s->granting = false;
        return;
      }
      waiter = std::move(s->waiters.front());
      s->waiters.pop_front();
      s->controller.set_in_use(++s->in_use, clock.now());
    }
    waiter.on_stop.reset();  // not under the lock: waits for a callback that runs, which takes the lock
    waiter.granted(Permit(self));
  }
}

bool Permit::Core::join(Waiter& waiter) {
  auto s = state.lock();
  if (std::erase(s->joining, waiter.id) == 0) return false;
  // Ids are taken before the queue is joined, so another thread may have overtaken us.
  const auto place = std::ranges::upper_bound(s->waiters, waiter.id, {}, &Waiter::id);
  s->waiters.insert(place, std::move(waiter));
  return true;
}

void Permit::Core::cancel(uint64_t id) {
  const auto self = shared_from_this();
  Waiter waiter;
  {
    auto s = state.lock();
    const auto found = std::ranges::lower_bound(s->waiters, id, {}, &Waiter::id);
    if (found == s->waiters.end() || found->id != id) {
      // Either it joins and finds out, or it has just been granted.
      std::erase(s->joining, id);
      return;
    }
    waiter = std::move(*found);
    s->waiters.erase(found);
  }
  waiter.granted(Permit());
}

void Permit::Core::give_back() {
  {
    auto s = state.lock();
    XET_CHECK(s->in_use > 0);
    s->controller.set_in_use(--s->in_use, clock.now());
  }
  grant_what_there_is();
}

Permit::Permit(std::shared_ptr<Core> core) : core_(std::move(core)), began_(core_->clock.now()) {}
Permit::~Permit() {
  release();
}
Permit::Permit(Permit&& other) noexcept
    : core_(std::move(other.core_)), began_(other.began_), is_lent_(other.is_lent_) {}
Permit& Permit::operator=(Permit&& other) noexcept {
  if (this == &other) return *this;
  // Given back last: that calls whoever waits, who may do anything, to this object too.
  const auto old = std::exchange(core_, std::move(other.core_));
  const bool was_lent = std::exchange(is_lent_, other.is_lent_);
  began_ = other.began_;
  if (old != nullptr && !was_lent) old->give_back();
  return *this;
}

void Permit::begin() {
  XET_CHECK(core_ != nullptr);
  began_ = core_->clock.now();
}

void Permit::moved(uint64_t n_bytes) {
  XET_CHECK(core_ != nullptr);
  bool more = false;
  {
    auto s = core_->state.lock();
    s->controller.moved(n_bytes, core_->clock.now());
    more = !s->waiters.empty() && s->in_use < s->controller.limit();
  }
  if (more) core_->grant_what_there_is();
}

void Permit::end(TransferEnd how) {
  XET_CHECK(core_ != nullptr);
  core_->state.lock()->controller.ended(how, began_, core_->clock.now());
}

void Permit::release() {
  const auto core = std::move(core_);
  if (core != nullptr && !is_lent_) core->give_back();
}

void Permit::lend() {
  if (core_ != nullptr && !std::exchange(is_lent_, true)) core_->give_back();
}

Permits::Permits(const ConcurrencyBounds& bounds, const Clock& clock)
    : core_(std::make_shared<Permit::Core>(bounds, clock)) {}

Permits::~Permits() {
  auto waiters = std::exchange(core_->state.lock()->waiters, {});
  for (auto& waiter : waiters) {
    waiter.on_stop.reset();
    waiter.granted(Permit());
  }
}

void Permits::acquire(std::stop_token stop, UniqueFunction<void(Permit)> granted) {
  if (stop.stop_requested()) {
    granted(Permit());
    return;
  }
  uint64_t id = 0;
  {
    auto s = core_->state.lock();
    id = s->next_id++;
    s->joining.push_back(id);
  }
  std::unique_ptr<std::stop_callback<Permit::Core::CancelWaiter>> on_stop;
  if (stop.stop_possible()) {
    on_stop = std::make_unique<std::stop_callback<Permit::Core::CancelWaiter>>(
        std::move(stop), Permit::Core::CancelWaiter{core_.get(), id});
  }
  Permit::Core::Waiter waiter{.id = id, .granted = std::move(granted), .on_stop = std::move(on_stop)};
  if (core_->join(waiter)) {
    core_->grant_what_there_is();
  } else {
    waiter.granted(Permit());
  }
}

size_t Permits::limit() const {
  return core_->state.lock()->controller.limit();
}
size_t Permits::in_use() const {
  return core_->state.lock()->in_use;
}
size_t Permits::waiting() const {
  return core_->state.lock()->waiters.size();
}

}  // namespace xet::net
