#pragma once

#include <coroutine>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/check.h"
#include "exec/thread_pool.h"
#include "server/http/stream.h"

namespace xet::http {

/// Runs a blocking call on a pool and resumes the coroutine on its stream's turn with what it returned:
///
///     auto call = [&] { return service.file_size(who, file); };
///     const auto size = co_await on_pool(pool, stream, call);
///
/// The callable is named because it must live until then, and because of g++ 12 (see style of coroutines in
/// README.md).
template <class F>
auto on_pool(exec::ThreadPool& pool, Stream& stream, F& call) {
  using R = std::invoke_result_t<F&>;
  struct Awaiter {
    exec::ThreadPool& pool;
    Stream& stream;
    F& call;
    std::optional<R> result;

    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> coroutine) {
      // Once resumed the connection may end, and its stream with it, while post() is still at work.
      pool.submit([this, coroutine, held = stream.shared_from_this()] {
        result.emplace(call());
        held->post(coroutine);
      });
    }
    R await_resume() { return *std::move(result); }
  };
  return Awaiter{pool, stream, call, std::nullopt};
}

/// A blocking call that runs on a pool while the coroutine that started it goes on; it has to be awaited
/// before this object dies. When it ends, a sleep of the stream under way ends too. Used on the stream's turn
/// only.
template <class R>
class BackgroundCall {
 public:
  BackgroundCall(exec::ThreadPool& pool, Stream& stream) : pool_(pool), stream_(stream) {}
  BackgroundCall(const BackgroundCall&) = delete;
  BackgroundCall& operator=(const BackgroundCall&) = delete;
  ~BackgroundCall() { XET_CHECK(!running_); }

  /// Not while one is running. What `call` refers to must live until it was awaited.
  template <class F>
  void start(F call) {
    XET_CHECK(!running_);
    running_ = true;
    done_ = false;
    result_.reset();
    pool_.submit([this, call = std::move(call), held = stream_.shared_from_this()]() mutable {
      result_.emplace(call());
      auto tell = [this] { ended(); };
      held->post(std::move(tell));
    });
  }
  bool is_running() const { return running_; }
  bool is_done() const { return done_; }

  /// co_await: waits for the end, and gives what the call returned.
  bool await_ready() const noexcept { return done_; }
  void await_suspend(std::coroutine_handle<> coroutine) noexcept { waiting_ = coroutine; }
  R await_resume() {
    running_ = false;
    done_ = false;
    return *std::move(result_);
  }

 private:
  void ended() {
    done_ = true;
    if (waiting_) {
      std::exchange(waiting_, nullptr).resume();
    } else {
      stream_.wake();
    }
  }

  exec::ThreadPool& pool_;
  Stream& stream_;
  bool running_ = false;  // started and not yet awaited
  bool done_ = false;
  std::coroutine_handle<> waiting_;
  std::optional<R> result_;
};

}  // namespace xet::http
