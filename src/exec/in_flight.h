#pragma once

#include <condition_variable>
#include <memory>

#include "base/sync.h"

namespace xet::exec {

/// Counts the work that uses an object, so that its destructor can wait for it: every task and callback
/// captures a token, and wait() returns when all tokens are gone. Thread-safe.
///
///     pool.submit([this, token = in_flight_.token()] { … });
///     ~Owner() { cancel(); in_flight_.wait(); }
class InFlight {
 public:
  class Token {
   public:
    Token(Token&&) noexcept = default;
    Token& operator=(Token&&) = delete;
    ~Token() {
      if (state_ == nullptr) return;
      // notified with the lock held: a waiter may destroy the InFlight as soon as it sees zero, but not the
      // state
      auto state = state_->count.lock();
      if (--*state == 0) state_->idle.notify_all();
    }

   private:
    friend class InFlight;
    struct State {
      Sync<size_t> count{0};
      std::condition_variable idle;
    };
    explicit Token(std::shared_ptr<State> state) : state_(std::move(state)) { ++*state_->count.lock(); }
    std::shared_ptr<State> state_;
  };

  Token token() const { return Token(state_); }
  void wait() const {
    auto count = state_->count.lock();
    count.wait(state_->idle, [&] { return *count == 0; });
  }

 private:
  std::shared_ptr<Token::State> state_ = std::make_shared<Token::State>();
};

}  // namespace xet::exec
