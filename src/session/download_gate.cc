#include "session/download_gate.h"

#include <algorithm>
#include <utility>

namespace xet {

DownloadGate::Impl::Impl(size_t max_files) : state_(State{std::max<size_t>(max_files, 1), 0, {}}) {}

bool DownloadGate::Impl::enter(const void* who, UniqueFunction<void()> freed) {
  UniqueFunction<void()> replaced;  // destroyed without the lock
  auto state = state_.lock();
  if (state->n_free > 0) {
    --state->n_free;
    return true;
  }
  for (auto& [arrival, waiter] : state->waiting) {
    if (waiter.first != who) continue;
    replaced = std::exchange(waiter.second, std::move(freed));
    return false;
  }
  state->waiting.emplace(state->n_arrived++, std::pair(who, std::move(freed)));
  return false;
}

void DownloadGate::Impl::leave() {
  ++state_.lock()->n_free;
  pass_on();
}

void DownloadGate::Impl::pass_on() {
  UniqueFunction<void()> freed;
  {
    auto state = state_.lock();
    if (state->n_free == 0 || state->waiting.empty()) return;
    freed = std::move(state->waiting.begin()->second.second);
    state->waiting.erase(state->waiting.begin());
  }
  freed();
}

void DownloadGate::Impl::forget(const void* who) {
  UniqueFunction<void()> forgotten;
  auto state = state_.lock();
  const auto found = std::find_if(state->waiting.begin(), state->waiting.end(),
                                  [&](const auto& entry) { return entry.second.first == who; });
  if (found == state->waiting.end()) return;
  forgotten = std::move(found->second.second);
  state->waiting.erase(found);
}

DownloadGate::DownloadGate(size_t max_files) : impl_(std::make_unique<Impl>(max_files)) {}
DownloadGate::~DownloadGate() = default;

}  // namespace xet
