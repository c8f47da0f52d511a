#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "codec/codec.h"
#include "codec/policy.h"
#include "codec/scheme.h"
#include "hash/tree.h"
#include "xet/hash.h"
#include "xet/result.h"

namespace xet::format {

/// Limits of the format (docs/format/xorb.md).
inline constexpr size_t kMaxChunkBytes = 128 * 1024;                ///< uncompressed
inline constexpr size_t kMaxPackedChunkBytes = 2 * kMaxChunkBytes;  ///< payload, as readers accept it
inline constexpr size_t kMaxXorbBytes = 64 * 1024 * 1024;           ///< sum of uncompressed chunks
inline constexpr size_t kMaxXorbChunks = 8192;

/// The 8 bytes in front of each packed chunk.
struct ChunkHeader {
  static constexpr size_t kEncodedSize = 8;

  codec::Scheme scheme = codec::Scheme::kNone;
  uint32_t packed_len = 0;    ///< bytes of the payload that follows
  uint32_t unpacked_len = 0;  ///< bytes of the chunk

  /// True for the first 8 bytes of a footer, which stand where the next chunk would begin.
  static bool is_footer_marker(std::span<const std::byte, kEncodedSize> bytes);
  /// kCorruption for an unknown version or scheme, a length above the limits, and a footer marker.
  static Result<ChunkHeader> parse(std::span<const std::byte, kEncodedSize> bytes);
  std::array<std::byte, kEncodedSize> encode() const;

  friend bool operator==(const ChunkHeader&, const ChunkHeader&) = default;
};

/// Most bytes that an encoded chunk of this length takes.
constexpr size_t max_encoded_chunk(size_t chunk_len) {
  return ChunkHeader::kEncodedSize + chunk_len;
}
/// Most bytes of a xorb without footer: all chunks incompressible.
inline constexpr size_t kMaxPackedXorbBytes = kMaxXorbBytes + kMaxXorbChunks * ChunkHeader::kEncodedSize;

/// A chunk ready to be written: header, then payload.
struct PackedChunk {
  ChunkHeader header;
  ByteSpan payload;  ///< a view of the chunk itself for kNone, otherwise of the buffer handed in
};

/// Packs a chunk of at most kMaxChunkBytes. The payload goes to `buffer` (at least chunk.size() bytes),
/// except when the chunk is stored: then it is not copied and the payload is `chunk`.
PackedChunk pack_chunk(ByteSpan chunk, codec::Policy policy, codec::Codec& codec, MutableByteSpan buffer);
PackedChunk pack_chunk(ByteSpan chunk, codec::Scheme scheme, codec::Codec& codec, MutableByteSpan buffer);

/// Writes header and payload to `out`, which has at least max_encoded_chunk(chunk.size()) bytes; returns the
/// number of bytes written.
size_t encode_chunk(ByteSpan chunk, codec::Policy policy, codec::Codec& codec, MutableByteSpan out);
size_t encode_chunk(ByteSpan chunk, codec::Scheme scheme, codec::Codec& codec, MutableByteSpan out);
inline size_t encode_chunk(ByteSpan chunk, codec::Codec& codec, MutableByteSpan out) {
  return encode_chunk(chunk, codec::Policy::kAuto, codec, out);
}

/// The chunk behind a header: `payload` itself when it is stored, otherwise the decoded bytes in the front of
/// `scratch`, which has at least header.unpacked_len bytes. `payload` must be exactly header.packed_len
/// bytes. kCorruption when it does not hold exactly the announced bytes. The chunk's hash is not checked:
/// only the caller may know it.
Result<ByteSpan> decode_chunk(const ChunkHeader& header, ByteSpan payload, codec::Codec& codec,
                              MutableByteSpan scratch);

}  // namespace xet::format
