#pragma once

#include <cstddef>
#include <functional>
#include <stop_token>

#include "exec/memory.h"
#include "xet/client.h"
#include "xet/result.h"

namespace xet::session {

/// The memory that one session has for certain, and the budget it may take more from: its client's, or, when
/// that is taken and the session must not wait (SessionOptions::may_wait_for_memory), one of its own.
struct Room {
  exec::MemoryBudget budget;
  Result<exec::MemoryBudget::Reservation> memory;  ///< an error when waiting for it was ended

  /// `needed_bytes` says what a session needs under a budget of so many bytes in all.
  static Room make(const exec::MemoryBudget& shared, const std::function<size_t(size_t)>& needed_bytes,
                   const SessionOptions& options, std::stop_token stop);
};

}  // namespace xet::session
