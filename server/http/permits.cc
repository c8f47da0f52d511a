#include "server/http/permits.h"

#include <algorithm>
#include <chrono>

namespace xet::http {

void Permits::grant(State& state) {
  for (auto& waiter : state.waiting) {
    if (waiter.granted) continue;
    if (waiter.n > state.free) return;  // in order: a small wish must not starve a large one
    state.free -= waiter.n;
    waiter.granted = true;
    auto wake = [stream = waiter.stream] { stream->wake(); };
    waiter.stream->post(std::move(wake));
  }
}

Task<std::optional<Permits::Held>> Permits::take(Stream& stream, uint64_t n, SteadyTime until) {
  n = std::min(n, capacity_);
  std::list<Waiter>::iterator self;
  {
    auto state = state_.lock();
    state->waiting.push_back({.stream = stream.shared_from_this(), .n = n, .granted = false});
    self = std::prev(state->waiting.end());
    const bool first = std::ranges::all_of(state->waiting.begin(), self, &Waiter::granted);
    if (first && n <= state->free) {
      state->free -= n;
      state->waiting.erase(self);
      co_return Held(*this, n);
    }
  }
  for (;;) {
    co_await sleep_until(stream, until);
    auto state = state_.lock();
    const bool granted = self->granted;
    if (!granted && std::chrono::steady_clock::now() < until) continue;
    state->waiting.erase(self);
    if (granted) co_return Held(*this, n);
    grant(*state);  // whoever came after may have been waiting for this one
    co_return std::nullopt;
  }
}

void Permits::give_back(uint64_t n) {
  auto state = state_.lock();
  state->free += n;
  grant(*state);
}

uint64_t Permits::used() {
  return capacity_ - state_.lock()->free;
}

}  // namespace xet::http
