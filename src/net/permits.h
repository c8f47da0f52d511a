#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stop_token>

#include "base/clock.h"
#include "base/unique_function.h"
#include "net/concurrency.h"

namespace xet::net {

/// The right to run one transfer; goes back when it is destroyed. Empty when moved from, and when the wait
/// for it was cancelled. May outlive its Permits. One thread at a time.
///
///     permits.acquire(stop, [](Permit permit) {
///       if (!permit) return finish(cancelled);
///       permit.begin();                             // before each attempt
///       ... permit.moved(n) as bytes of the body come or go ...
///       permit.end(TransferEnd::kOk);               // after each attempt
///     });
class Permit {
 public:
  Permit() = default;
  ~Permit();
  Permit(Permit&& other) noexcept;
  Permit& operator=(Permit&& other) noexcept;
  explicit operator bool() const { return core_ != nullptr; }

  /// An attempt begins now; acquiring it counts as the first begin().
  void begin();
  /// Bytes of the body went over the network. Cheap enough for every buffer.
  void moved(uint64_t n_bytes);
  /// The attempt ended; the permit is kept. Without this (a cancelled transfer) nothing is learnt from it.
  void end(TransferEnd how);
  /// Gives it back before destruction.
  void release();
  /// Lets somebody else have the place, for good; the transfer goes on beyond the limit. For one that waits
  /// for its receiver, who may wait for another transfer.
  void lend();

 private:
  friend class Permits;
  struct Core;
  explicit Permit(std::shared_ptr<Core> core);

  std::shared_ptr<Core> core_;  // shared with Permits and the other permits: whoever goes last
  std::chrono::steady_clock::time_point began_;
  bool is_lent_ = false;
};

/// Hands out as many permits as a ConcurrencyController allows at the moment, first come, first served. When
/// the limit falls, nobody is interrupted: permits that come back are not handed out again. Thread-safe.
class Permits {
 public:
  /// The clock must outlive the last permit.
  explicit Permits(const ConcurrencyBounds& bounds, const Clock& clock = system_clock());
  /// Whoever still waits gets an empty permit, on this thread.
  ~Permits();
  Permits(const Permits&) = delete;
  Permits& operator=(const Permits&) = delete;

  /// `granted` gets a permit exactly once: on this thread before the call returns, or later on that of
  /// whoever gave one back, reported, or is being handed one just now. When `stop` fires while it waits, it
  /// gets an empty one, on the thread that stops. It must be short; it may acquire and release; no lock is
  /// held.
  void acquire(std::stop_token stop, UniqueFunction<void(Permit)> granted);

  size_t limit() const;
  size_t in_use() const;
  size_t waiting() const;

 private:
  std::shared_ptr<Permit::Core> core_;
};

}  // namespace xet::net
