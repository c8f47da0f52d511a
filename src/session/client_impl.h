#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "base/clock.h"
#include "cas/cas.h"
#include "exec/memory.h"
#include "exec/thread_pool.h"
#include "session/engine.h"
#include "xet/client.h"

namespace xet {

/// What the sessions of one client share. Everything in it is thread-safe.
class Client::Impl {
 public:
  /// Sizes that bound memory and plans. Tests make them small, to reach what lies behind them.
  struct Tuning {
    uint64_t download_page_bytes = uint64_t{4} << 30;  ///< of a file that one reconstruction query covers
    uint64_t stream_page_bytes = uint64_t{1} << 30;    ///< the same when the file is streamed
    /// A session's metadata goes to the store when it has grown to this, before the end of the session.
    uint64_t shard_flush_bytes = uint64_t{16} << 20;
  };

  /// `cas` may be null: then only hashing and planning work.
  Impl(std::shared_ptr<cas::Cas> cas, const ClientOptions& options, const Clock& clock = system_clock())
      : Impl(std::move(cas), options, clock, Tuning()) {}
  Impl(std::shared_ptr<cas::Cas> cas, const ClientOptions& options, const Clock& clock, const Tuning& tuning);
  /// Threads and memory are shared with whoever else has the engine.
  Impl(std::shared_ptr<cas::Cas> cas, std::shared_ptr<session::Engine> engine)
      : Impl(std::move(cas), std::move(engine), Tuning()) {}

  /// The store, or kInvalidArgument when there is none.
  Result<cas::Cas*> require_cas() const;
  cas::Cas* cas_or_null() const { return cas_.get(); }

  const Tuning& tuning() const { return tuning_; }
  // See session::Engine.
  const Clock& clock() const { return engine_->clock(); }
  exec::MemoryBudget& budget() { return engine_->budget(); }
  exec::ThreadPool& cpu() { return engine_->cpu(); }
  exec::ThreadPool& blocking() { return engine_->blocking(); }

 private:
  Impl(std::shared_ptr<cas::Cas> cas, std::shared_ptr<session::Engine> engine, const Tuning& tuning)
      : tuning_(tuning), engine_(std::move(engine)), cas_(std::move(cas)) {}

  const Tuning tuning_;
  std::shared_ptr<session::Engine> engine_;
  std::shared_ptr<cas::Cas> cas_;  // last: goes first, and waits for its calls, whose callbacks use the pools
};

}  // namespace xet
