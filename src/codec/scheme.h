#pragma once

#include <cstdint>

namespace xet::codec {

/// How a chunk's payload is packed; the values are those of the chunk header on the wire.
enum class Scheme : uint8_t {
  kNone = 0,    ///< the bytes as they are
  kLz4 = 1,     ///< one LZ4 frame
  kBg4Lz4 = 2,  ///< bytes grouped by position modulo 4, then one LZ4 frame
};

}  // namespace xet::codec
