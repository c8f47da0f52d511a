#include "exec/timer.h"

#include <utility>

namespace xet::exec {

Timer::~Timer() {
  stop();
}

void Timer::stop() {
  std::multimap<std::chrono::steady_clock::time_point, Task> dropped;  // destroyed without the lock
  {
    auto state = state_.lock();
    state->stopped = true;
    dropped.swap(state->due);
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Timer::at(std::chrono::steady_clock::time_point when, Task task) {
  {
    auto state = state_.lock();
    if (state->stopped) return;
    state->due.emplace(when, std::move(task));
    if (!std::exchange(state->started, true)) thread_ = std::thread([this] { run(); });
  }
  changed_.notify_all();
}

void Timer::run() {
  for (;;) {
    Task task;
    {
      auto state = state_.lock();
      const auto ready = [&] {
        return state->stopped || (!state->due.empty() && state->due.begin()->first <= clock_.now());
      };
      while (!ready()) {
        if (state->due.empty()) {
          state.wait(changed_, [&] { return state->stopped || !state->due.empty(); });
        } else {
          const auto first = state->due.begin()->first;
          state.wait_until(clock_, changed_, first, [&] {
            return state->stopped || state->due.empty() || state->due.begin()->first < first;
          });
        }
      }
      if (state->stopped) return;
      task = std::move(state->due.begin()->second);
      state->due.erase(state->due.begin());
    }
    task();
  }
}

}  // namespace xet::exec
