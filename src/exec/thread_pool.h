#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "base/sync.h"
#include "base/unique_function.h"

namespace xet::exec {

using Task = UniqueFunction<void()>;

/// Work that frees memory (send, compress, write) runs before work that takes it (read, fetch): what keeps a
/// small memory cap free of deadlock also keeps it full of useful work.
enum class Priority : uint8_t { kFreesMemory, kTakesMemory };

/// A fixed set of threads that run tasks, oldest first within a priority. Tasks do not throw. submit() never
/// blocks and may be called from any thread, also from tasks. The destructor runs what is queued, then joins.
class ThreadPool {
 public:
  /// `n_threads` 0 means one per core that this process may use.
  explicit ThreadPool(size_t n_threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  void submit(Task task, Priority priority = Priority::kFreesMemory);
  size_t size() const { return threads_.size(); }

  /// Cores this process may run on (its affinity mask), at least 1.
  static size_t usable_cores();

 private:
  struct Queues {
    std::deque<Task> by_priority[2];
    size_t n_asleep = 0;
    /// A thread was called that has not looked at the queues yet. It calls the next one when there is more
    /// than it takes itself, so a burst of small tasks does not wake, and make contend, more threads than it
    /// needs.
    bool is_waking = false;
    bool closing = false;

    bool empty() const { return by_priority[0].empty() && by_priority[1].empty(); }
    /// Whether whoever holds the lock has to call a thread, which it has promised by asking.
    bool must_wake();
  };
  void run();
  /// Calls a thread, without the lock. Afterwards the pool may be gone.
  void wake_one();

  Sync<Queues> queues_;
  std::condition_variable wake_;
  std::atomic<size_t> n_waking_{0};  ///< threads in wake_one(), or on the way there
  std::vector<std::jthread> threads_;
};

/// Runs its tasks one at a time, in the order they were posted, on the threads of a pool: state that only one
/// strand touches needs no lock. A value handle; copies share the queue. Tasks must be short and must not
/// block. post() may be called from any thread. Tasks may still run after the last handle is gone; the pool
/// must outlive them.
class Strand {
 public:
  explicit Strand(ThreadPool& pool);
  void post(Task task) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace xet::exec
