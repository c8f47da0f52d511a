#pragma once

#include <atomic>
#include <string>

#include "base/sync.h"
#include "xet/result.h"

namespace xet::store {

/// Remembers that a sync to disk failed. After that the kernel may have dropped pages that were never
/// written, and a second fsync of the same file may report success: nothing this process writes to the store
/// can be called durable any more, so all writing ends until the program is started again. Reading goes on.
/// Thread-safe.
class SyncHealth {
 public:
  /// Records the first cause; later ones change nothing.
  void sync_failed(const Error& cause);
  /// kIo, with the first cause, once a sync has failed.
  Status check_writable();
  bool is_writable() const { return !failed_.load(std::memory_order_acquire); }

 private:
  std::atomic<bool> failed_{false};  // set after cause_ is (release), read first (acquire)
  Sync<std::string> cause_;
};

}  // namespace xet::store
