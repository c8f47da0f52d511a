#include "session/room.h"

#include <utility>

#include "session/engine.h"

namespace xet::session {

Room Room::make(const exec::MemoryBudget& shared, const std::function<size_t(size_t)>& needed_bytes,
                const SessionOptions& options, std::stop_token stop) {
  const size_t needed = needed_bytes(shared.total_bytes());
  if (options.may_wait_for_memory) return {shared, shared.reserve(needed, std::move(stop), options.deadline)};
  if (auto memory = shared.try_reserve(needed)) return {shared, std::move(memory)};
  exec::MemoryBudget own(Engine::kLeastMemory);
  auto memory = own.try_reserve(needed_bytes(own.total_bytes()));
  return {std::move(own), std::move(memory)};
}

}  // namespace xet::session
