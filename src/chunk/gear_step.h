#pragma once

#include <cstddef>
#include <cstdint>

#include "chunk/gear_table.h"

namespace xet::chunk::detail {

inline uint64_t gear_step(uint64_t h, std::byte byte) {
  return h + h + kGearTable[static_cast<uint8_t>(byte)];
}

/// The top 16 bits are zero: one position in 65 536 of random data, hence the target chunk size.
inline bool is_trigger(uint64_t h) {
  return h < (uint64_t{1} << 48);
}

}  // namespace xet::chunk::detail
