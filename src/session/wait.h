#pragma once

#include <condition_variable>
#include <memory>
#include <optional>
#include <stop_token>
#include <utility>

#include "base/sync.h"
#include "base/unique_function.h"
#include "xet/result.h"

namespace xet::session {

/// Turns one asynchronous call into a blocking one:
///
///     Waiter<uint64_t> waiter;
///     cas.file_size(file, stop, waiter.callback());
///     Result<uint64_t> size = waiter.wait();
///
/// The call's own stop token and deadline end the wait: its callback always comes.
template <class T>
class Waiter {
 public:
  UniqueFunction<void(Result<T>)> callback() {
    return [state = state_](Result<T> result) {
      state->result.lock()->emplace(std::move(result));
      state->ready.notify_all();
    };
  }

  Result<T> wait() {
    auto result = state_->result.lock();
    result.wait(state_->ready, [&] { return result->has_value(); });
    return std::move(**result);
  }

  /// The same, for a call that knows nothing of `stop`: nothing when that fires first. The call goes on, and
  /// what it brings is dropped.
  std::optional<Result<T>> wait(const std::stop_token& stop) {
    const std::stop_callback wake(stop, [state = state_] {
      auto result = state->result.lock();  // whoever waits has looked at the token before, or is waiting
      state->ready.notify_all();
    });
    auto result = state_->result.lock();
    result.wait(state_->ready, [&] { return result->has_value() || stop.stop_requested(); });
    return std::exchange(*result, std::nullopt);
  }

 private:
  struct State {
    Sync<std::optional<Result<T>>> result;
    std::condition_variable ready;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace xet::session
