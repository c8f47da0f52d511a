#include "server/store/sync_health.h"

#include <fmt/format.h>

namespace xet::store {

void SyncHealth::sync_failed(const Error& cause) {
  auto text = cause_.lock();
  if (failed_.load(std::memory_order_relaxed)) return;
  *text = cause.message;
  failed_.store(true, std::memory_order_release);
}

Status SyncHealth::check_writable() {
  if (!failed_.load(std::memory_order_acquire)) return {};
  return fail(
      ErrorCode::kIo,
      fmt::format(
          "the store is read-only for this process because a sync to disk failed ({}); check the disk, "
          "then start the program again",
          *cause_.lock()));
}

}  // namespace xet::store
