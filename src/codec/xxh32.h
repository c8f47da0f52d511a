#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace xet::codec {

/// The 32-bit xxHash with seed 0, which LZ4 frames use for their checksums.
uint32_t xxh32(ByteSpan bytes);

}  // namespace xet::codec
