#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <utility>

#include "base/sync.h"
#include "server/http/stream.h"
#include "server/http/task.h"

namespace xet::http {

/// A number of things that connections may hold at the same time: slots, or bytes. Who waits is served in
/// order. Thread-safe; must outlive what is held.
class Permits {
 public:
  explicit Permits(uint64_t capacity) : capacity_(capacity), state_(State{.free = capacity, .waiting = {}}) {}
  Permits(const Permits&) = delete;
  Permits& operator=(const Permits&) = delete;

  /// Gives them back when it goes.
  class Held {
   public:
    Held(Permits& from, uint64_t n) : from_(&from), n_(n) {}
    Held(Held&& other) noexcept : from_(std::exchange(other.from_, nullptr)), n_(other.n_) {}
    Held& operator=(Held&&) = delete;
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    ~Held() {
      if (from_) from_->give_back(n_);
    }

   private:
    Permits* from_;
    uint64_t n_;
  };

  /// Takes `n`, or all if there are fewer, waiting on the stream's turn; nullopt when it would take longer
  /// than `until`.
  Task<std::optional<Held>> take(Stream& stream, uint64_t n, SteadyTime until);

  uint64_t capacity() const { return capacity_; }
  uint64_t used();

 private:
  struct Waiter {
    std::shared_ptr<Stream> stream;  // who waits may be gone before it is woken
    uint64_t n = 0;
    bool granted = false;
  };
  struct State {
    uint64_t free = 0;
    std::list<Waiter> waiting;  // those that were granted stay until they notice
  };
  void give_back(uint64_t n);
  static void grant(State& state);

  const uint64_t capacity_;
  Sync<State> state_;
};

}  // namespace xet::http
