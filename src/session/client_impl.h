#pragma once

#include <memory>

#include "base/clock.h"
#include "cas/cas.h"
#include "exec/memory.h"
#include "exec/thread_pool.h"
#include "xet/client.h"

namespace xet {

/// What the sessions of one client share. Everything in it is thread-safe.
class Client::Impl {
 public:
  /// `cas` may be null: then only hashing and planning work.
  Impl(std::shared_ptr<cas::Cas> cas, const ClientOptions& options, const Clock& clock = system_clock());

  /// The store, or kInvalidArgument when there is none.
  Result<cas::Cas*> require_cas() const;
  cas::Cas* cas_or_null() const { return cas_.get(); }

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
  std::shared_ptr<cas::Cas> cas_;  // last: goes first, and waits for its calls, whose callbacks use the pools
};

}  // namespace xet
