#pragma once

#include <cstddef>

#include "base/clock.h"
#include "exec/memory.h"
#include "exec/thread_pool.h"
#include "xet/client.h"

namespace xet::session {

/// Threads and memory for any number of clients. Everything in it is thread-safe.
class Engine {
 public:
  static constexpr size_t kLeastMemory = size_t{64} << 20;

  Engine(size_t threads, size_t max_memory_bytes, const Clock& clock);

  const Clock& clock() const { return clock_; }
  exec::MemoryBudget& budget() { return budget_; }
  /// One thread per core, for work that computes. Its tasks may read and write files, but never wait for
  /// others.
  exec::ThreadPool& cpu() { return cpu_; }
  /// A few threads for calls that may sleep long in the kernel: fsync, rename, opening files.
  exec::ThreadPool& blocking() { return blocking_; }

 private:
  const Clock& clock_;
  exec::MemoryBudget budget_;
  exec::ThreadPool blocking_;
  exec::ThreadPool cpu_;
};

}  // namespace xet::session
