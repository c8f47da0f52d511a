#pragma once

#include <nanobind/nanobind.h>

#include <chrono>
#include <condition_variable>
#include <optional>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/sync.h"
#include "bindings/python/interpreter.h"

namespace xet::python {

namespace nb = nanobind;

/// How long a wait may keep signals from being seen.
constexpr std::chrono::milliseconds kSlice{50};

/// Lets signal handlers run, and raises what they raise.
inline void check_signals() {
  if (PyErr_CheckSignals() != 0) throw nb::python_error();
}

/// Waits with the GIL released. `wait(limit)` says whether what is waited for has come; signal handlers run
/// between its calls, and what they raise ends the wait.
template <class Wait>
void wait_for(Wait wait) {
  for (;;) {
    bool has_come = false;
    {
      const ReleasedGil released;
      has_come = wait(kSlice);
    }
    if (has_come) return;
    check_signals();
  }
}

/// Runs `work` with the GIL released and gives its result. On the main thread it runs on another one, so that
/// signal handlers can run meanwhile; when one of them raises, `interrupt` is called, which must make `work`
/// return soon.
template <class Work, class Interrupt>
auto run(Work work, Interrupt interrupt) {
  using Value = decltype(work());
  if (!is_main_thread()) {
    const ReleasedGil released;
    return work();
  }
  Sync<std::optional<Value>> place;
  std::condition_variable done;
  std::thread worker([&] {
    auto value = work();
    auto result = place.lock();
    result->emplace(std::move(value));
    done.notify_all();
  });
  const auto wait = [&](std::chrono::milliseconds limit) {
    auto result = place.lock();
    return result.wait_until(system_clock(), done, system_clock().now() + limit,
                             [&] { return result->has_value(); });
  };
  try {
    wait_for(wait);
  } catch (...) {
    const ReleasedGil released;
    interrupt();
    worker.join();
    throw;
  }
  const ReleasedGil released;
  worker.join();
  return std::move(**place.lock());
}

}  // namespace xet::python
