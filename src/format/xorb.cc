#include "format/xorb.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/check.h"
#include "codec/predictor.h"

namespace xet::format {
namespace {

constexpr std::string_view kFooterMarker = "XETBLOB";

uint32_t load24(const std::byte* at) {
  return std::to_integer<uint32_t>(at[0]) | std::to_integer<uint32_t>(at[1]) << 8 |
         std::to_integer<uint32_t>(at[2]) << 16;
}

void store24(std::byte* at, uint32_t value) {
  at[0] = static_cast<std::byte>(value);
  at[1] = static_cast<std::byte>(value >> 8);
  at[2] = static_cast<std::byte>(value >> 16);
}

PackedChunk stored(ByteSpan chunk) {
  const auto len = static_cast<uint32_t>(chunk.size());
  return {{codec::Scheme::kNone, len, len}, chunk};
}

size_t write_packed(const PackedChunk& packed, MutableByteSpan out) {
  const auto header = packed.header.encode();
  std::copy(header.begin(), header.end(), out.begin());
  const auto body = out.subspan(header.size());
  if (packed.payload.data() != body.data())
    std::copy(packed.payload.begin(), packed.payload.end(), body.begin());
  return header.size() + packed.payload.size();
}

codec::Scheme scheme_for(codec::Policy policy, ByteSpan chunk) {
  switch (policy) {
    case codec::Policy::kAuto:
      return codec::predict_scheme(chunk);
    case codec::Policy::kNone:
      return codec::Scheme::kNone;
    case codec::Policy::kLz4:
      return codec::Scheme::kLz4;
    case codec::Policy::kBg4Lz4:
      return codec::Scheme::kBg4Lz4;
  }
  return codec::Scheme::kNone;
}

}  // namespace

bool ChunkHeader::is_footer_marker(std::span<const std::byte, kEncodedSize> bytes) {
  return as_chars(bytes).starts_with(kFooterMarker);
}

Result<ChunkHeader> ChunkHeader::parse(std::span<const std::byte, kEncodedSize> bytes) {
  if (is_footer_marker(bytes)) {
    return fail(ErrorCode::kCorruption, "a xorb footer where a chunk was expected");
  }
  const auto scheme = std::to_integer<unsigned>(bytes[4]);
  if (scheme > static_cast<unsigned>(codec::Scheme::kBg4Lz4)) {
    return fail(ErrorCode::kCorruption, fmt::format("chunk header: unknown compression scheme {}", scheme));
  }
  if (const auto version = std::to_integer<unsigned>(bytes[0]); version != 0) {
    return fail(ErrorCode::kCorruption, fmt::format("chunk header: unknown version {}", version));
  }
  const ChunkHeader header{static_cast<codec::Scheme>(scheme), load24(&bytes[1]), load24(&bytes[5])};
  if (header.packed_len > kMaxPackedChunkBytes) {
    return fail(ErrorCode::kCorruption, fmt::format("chunk header: payload of {} bytes, at most {} allowed",
                                                    header.packed_len, kMaxPackedChunkBytes));
  }
  if (header.unpacked_len > kMaxChunkBytes) {
    return fail(ErrorCode::kCorruption, fmt::format("chunk header: chunk of {} bytes, at most {} allowed",
                                                    header.unpacked_len, kMaxChunkBytes));
  }
  return header;
}

std::array<std::byte, ChunkHeader::kEncodedSize> ChunkHeader::encode() const {
  XET_CHECK(packed_len <= kMaxPackedChunkBytes && unpacked_len <= kMaxChunkBytes);
  std::array<std::byte, kEncodedSize> out{};
  store24(&out[1], packed_len);
  out[4] = static_cast<std::byte>(scheme);
  store24(&out[5], unpacked_len);
  return out;
}

PackedChunk pack_chunk(ByteSpan chunk, codec::Scheme scheme, codec::Codec& codec, MutableByteSpan buffer) {
  XET_CHECK(chunk.size() <= kMaxChunkBytes && buffer.size() >= chunk.size());
  if (scheme == codec::Scheme::kNone || chunk.empty()) return stored(chunk);
  const auto n = codec.pack(scheme, chunk, buffer.first(chunk.size() - 1));  // must pay
  if (!n) return stored(chunk);
  return {{scheme, static_cast<uint32_t>(*n), static_cast<uint32_t>(chunk.size())}, buffer.first(*n)};
}

PackedChunk pack_chunk(ByteSpan chunk, codec::Policy policy, codec::Codec& codec, MutableByteSpan buffer) {
  return pack_chunk(chunk, scheme_for(policy, chunk), codec, buffer);
}

size_t encode_chunk(ByteSpan chunk, codec::Scheme scheme, codec::Codec& codec, MutableByteSpan out) {
  XET_CHECK(out.size() >= max_encoded_chunk(chunk.size()));
  return write_packed(pack_chunk(chunk, scheme, codec, out.subspan(ChunkHeader::kEncodedSize)), out);
}

size_t encode_chunk(ByteSpan chunk, codec::Policy policy, codec::Codec& codec, MutableByteSpan out) {
  return encode_chunk(chunk, scheme_for(policy, chunk), codec, out);
}

Result<ByteSpan> decode_chunk(const ChunkHeader& header, ByteSpan payload, codec::Codec& codec,
                              MutableByteSpan scratch) {
  XET_CHECK(payload.size() == header.packed_len);
  if (header.scheme == codec::Scheme::kNone) {
    if (header.packed_len != header.unpacked_len) {
      return fail(ErrorCode::kCorruption, fmt::format("stored chunk: {} bytes where {} were announced",
                                                      header.packed_len, header.unpacked_len));
    }
    return payload;
  }
  XET_CHECK(scratch.size() >= header.unpacked_len);
  const MutableByteSpan out = scratch.first(header.unpacked_len);
  XET_TRY_STATUS(codec.unpack(header.scheme, payload, out));
  return ByteSpan(out);
}

}  // namespace xet::format
