#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "codec/scheme.h"
#include "hash/tree.h"
#include "xet/hash.h"

namespace xet::format {

inline constexpr size_t kMaxChunkBytes = 128 * 1024;       ///< uncompressed
inline constexpr size_t kMaxXorbBytes = 64 * 1024 * 1024;  ///< uncompressed, and packed without footer
inline constexpr size_t kMaxXorbChunks = 8192;

/// The 8 bytes in front of each packed chunk.
struct ChunkHeader {
  static constexpr size_t kEncodedSize = 8;

  codec::Scheme scheme = codec::Scheme::kNone;
  uint32_t packed_len = 0;
  uint32_t unpacked_len = 0;
};

}  // namespace xet::format
