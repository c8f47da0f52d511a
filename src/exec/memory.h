#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <utility>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/unique_function.h"
#include "xet/result.h"

namespace xet::exec {

/// The hard cap on the memory that buffers take, shared by all sessions of a client.
///
/// What keeps a small cap free of deadlock: a session first reserves, in one step, what it needs to make
/// progress on its own (`reserve`, first come first served). Whatever it takes beyond that it only tries for
/// (`try_reserve`), never waits for. So no session ever holds memory while it waits for more. Unused extra
/// memory is asked back from the pools that keep it (`reclaimers`) when somebody waits. Thread-safe.
///
/// A value handle; copies share the budget, and what was taken from it keeps it alive: the last buffer of a
/// fetch may be let go by a thread that learns of the end after everybody else.
class MemoryBudget {
  struct Shared;

 public:
  /// `clock`: of the deadlines; must outlive the calls of reserve().
  explicit MemoryBudget(size_t total_bytes, const Clock& clock = system_clock());

  /// Bytes taken from a budget; gives them back when destroyed.
  class Reservation {
   public:
    Reservation() = default;
    Reservation(Reservation&& other) noexcept;
    Reservation& operator=(Reservation&& other) noexcept;
    ~Reservation();
    size_t bytes() const { return bytes_; }
    explicit operator bool() const { return budget_ != nullptr; }

   private:
    friend class MemoryBudget;
    Reservation(std::shared_ptr<Shared> budget, size_t bytes) : budget_(std::move(budget)), bytes_(bytes) {}
    std::shared_ptr<Shared> budget_;
    size_t bytes_ = 0;
  };

  size_t total_bytes() const;

  /// For tests and diagnostics, in bytes. `mapped` is what the pools of this budget really hold.
  struct Usage {
    size_t reserved = 0;
    size_t most_reserved = 0;
    size_t mapped = 0;
    size_t most_mapped = 0;
  };
  Usage usage() const;
  /// A pool mapped so much memory, or gave it back to the system.
  void count_mapped(size_t bytes) const;
  void count_unmapped(size_t bytes) const;

  /// Waits for `bytes` (cut to the total). kCancelled or kDeadline when those come first.
  Result<Reservation> reserve(size_t bytes, std::stop_token stop, Deadline deadline = kNoDeadline) const;
  /// An empty reservation when there is not that much, or when others wait.
  Reservation try_reserve(size_t bytes) const;
  /// Somebody waits in reserve(): extra memory that is not needed right now should come back.
  bool has_waiters() const;

  /// Something that can give unused extra memory back. Registered until the returned handle is destroyed;
  /// called without locks held, from the thread that waits.
  class Reclaimer {
   public:
    Reclaimer(const MemoryBudget& budget, std::function<void()> reclaim);
    ~Reclaimer();
    Reclaimer(const Reclaimer&) = delete;
    Reclaimer& operator=(const Reclaimer&) = delete;

   private:
    std::shared_ptr<Shared> budget_;
    uint64_t id_;
  };

 private:
  std::shared_ptr<Shared> shared_;
};

/// Page-aligned memory of a fixed size that returns to its pool when destroyed.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept = default;
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer();

  MutableByteSpan bytes() const { return bytes_; }
  explicit operator bool() const { return pool_ != nullptr; }

 private:
  friend class BufferPool;
  struct PoolState;
  Buffer(std::shared_ptr<PoolState> pool, MutableByteSpan bytes) : pool_(std::move(pool)), bytes_(bytes) {}
  void release();

  std::shared_ptr<PoolState> pool_;
  MutableByteSpan bytes_;
};

/// Buffers of one size that are handed round: the pages stay touched, so nobody pays for them twice.
/// `guaranteed` buffers are covered by a reservation of the caller; up to `most` are made while the budget
/// has room. Thread-safe. Buffers may outlive the pool object and the caller's budget.
class BufferPool {
 public:
  BufferPool(const MemoryBudget& budget, size_t buffer_bytes, size_t guaranteed, size_t most);
  ~BufferPool();
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  size_t buffer_bytes() const;

  /// Calls `ready` with a buffer: before returning when there is one, else later from the thread that returns
  /// one, in the order of the calls. No lock is held. After cancel() `ready` gets an empty Buffer.
  void acquire(UniqueFunction<void(Buffer)> ready);
  /// An empty Buffer when there is none now.
  Buffer try_acquire();
  /// Answers everybody who waits, and all who ask from now on, with an empty Buffer.
  void cancel();

 private:
  std::shared_ptr<Buffer::PoolState> state_;
  std::unique_ptr<MemoryBudget::Reclaimer> reclaimer_;
};

}  // namespace xet::exec
