#include <gtest/gtest.h>

#include "format/samples.h"
#include "format/xorb.h"
#include "support/generators.h"
#include "support/matchers.h"

namespace xet::format {
namespace {

using codec::Policy;
using codec::Scheme;
using testing::FailsWith;
using testing::IsOk;

using HeaderBytes = std::array<std::byte, ChunkHeader::kEncodedSize>;

HeaderBytes header_bytes(std::array<unsigned, 8> values) {
  HeaderBytes out;
  for (size_t i = 0; i < 8; ++i) out[i] = static_cast<std::byte>(values[i]);
  return out;
}

TEST(ChunkHeader, EncodesAsPublished) {
  EXPECT_EQ((ChunkHeader{Scheme::kNone, 12, 12}.encode()), header_bytes({0, 0x0c, 0, 0, 0, 0x0c, 0, 0}));
  EXPECT_EQ((ChunkHeader{Scheme::kBg4Lz4, 66051, 131072}.encode()), header_bytes({0, 3, 2, 1, 2, 0, 0, 2}));
}

TEST(ChunkHeader, ReadsWhatItWrites) {
  for (const uint32_t packed : {0U, 1U, 65535U, 131072U, 262144U}) {
    for (const uint32_t unpacked : {0U, 255U, 256U, 131072U}) {
      for (const auto scheme : {Scheme::kNone, Scheme::kLz4, Scheme::kBg4Lz4}) {
        const ChunkHeader header{scheme, packed, unpacked};
        const auto found = ChunkHeader::parse(header.encode());
        ASSERT_THAT(found, IsOk());
        EXPECT_EQ(*found, header);
      }
    }
  }
}

TEST(ChunkHeader, RefusesWhatReadersMustRefuse) {
  const auto parse = [](std::array<unsigned, 8> values) { return ChunkHeader::parse(header_bytes(values)); };
  EXPECT_THAT(parse({0, 1, 0, 0, 3, 1, 0, 0}), FailsWith(ErrorCode::kCorruption, "scheme 3"));
  EXPECT_THAT(parse({0, 1, 0, 0, 99, 1, 0, 0}), FailsWith(ErrorCode::kCorruption, "scheme 99"));
  EXPECT_THAT(parse({1, 1, 0, 0, 0, 1, 0, 0}), FailsWith(ErrorCode::kCorruption, "version 1"));
  EXPECT_THAT(parse({0, 1, 0, 4, 1, 1, 0, 0}), FailsWith(ErrorCode::kCorruption, "262145"));
  EXPECT_THAT(parse({0, 1, 0, 0, 1, 1, 0, 2}), FailsWith(ErrorCode::kCorruption, "131073"));
}

TEST(ChunkHeader, AFooterMarkerIsToldApart) {
  const HeaderBytes marker = header_bytes({'X', 'E', 'T', 'B', 'L', 'O', 'B', 1});
  EXPECT_TRUE(ChunkHeader::is_footer_marker(marker));
  EXPECT_TRUE(ChunkHeader::is_footer_marker(header_bytes({'X', 'E', 'T', 'B', 'L', 'O', 'B', 7})));
  EXPECT_FALSE(ChunkHeader::is_footer_marker(header_bytes({'X', 'E', 'T', 'B', 'L', 'O', 'X', 1})));
  EXPECT_THAT(ChunkHeader::parse(marker), FailsWith(ErrorCode::kCorruption, "footer"));
}

TEST(EncodeChunk, RoundTripsUnderEveryPolicyAndNeverGrows) {
  codec::Codec codec;
  ByteVector out(max_encoded_chunk(kMaxChunkBytes));
  ByteVector scratch(kMaxChunkBytes);
  for (const auto policy : {Policy::kAuto, Policy::kNone, Policy::kLz4, Policy::kBg4Lz4}) {
    for (const size_t n : {0U, 1U, 2U, 15U, 16U, 17U, 100U, 8192U, 65537U, 131072U}) {
      for (const auto& chunk : {testing::random_bytes(n, n), testing::text_bytes(n, n),
                                testing::bf16_bytes(n, n), ByteVector(n)}) {
        const MutableByteSpan room = MutableByteSpan(out).first(max_encoded_chunk(n));
        const ByteSpan encoded = room.first(encode_chunk(chunk, policy, codec, room));
        const auto header = ChunkHeader::parse(encoded.first<8>());
        ASSERT_THAT(header, IsOk());
        EXPECT_EQ(header->unpacked_len, n);
        EXPECT_EQ(header->packed_len, encoded.size() - 8);
        EXPECT_LE(header->packed_len, n);
        EXPECT_EQ(header->packed_len == n, header->scheme == Scheme::kNone);
        const auto decoded = decode_chunk(*header, encoded.subspan(8), codec, scratch);
        ASSERT_THAT(decoded, IsOk());
        EXPECT_TRUE(std::ranges::equal(*decoded, chunk));
      }
    }
  }
}

TEST(PackChunk, AStoredChunkIsNotCopied) {
  codec::Codec codec;
  const ByteVector chunk = testing::random_bytes(10'000, 1);
  ByteVector buffer(chunk.size());
  const auto packed = pack_chunk(chunk, Policy::kLz4, codec, buffer);
  EXPECT_EQ(packed.header, (ChunkHeader{Scheme::kNone, 10'000, 10'000}));
  EXPECT_EQ(packed.payload.data(), chunk.data());
}

TEST(DecodeChunk, AStoredChunkIsNotCopied) {
  codec::Codec codec;
  const ByteVector chunk = testing::random_bytes(100, 1);
  const auto decoded = decode_chunk({Scheme::kNone, 100, 100}, chunk, codec, {});
  ASSERT_THAT(decoded, IsOk());
  EXPECT_EQ(decoded->data(), chunk.data());
}

TEST(DecodeChunk, TheAnnouncedLengthMustBeExact) {
  codec::Codec codec;
  const ByteVector chunk = testing::text_bytes(10'000, 1);
  ByteVector buffer(chunk.size()), scratch(kMaxChunkBytes);
  for (const auto scheme : {Scheme::kLz4, Scheme::kBg4Lz4}) {
    const auto packed = pack_chunk(chunk, scheme, codec, buffer);
    ASSERT_EQ(packed.header.scheme, scheme);
    for (const uint32_t wrong : {0U, 9'999U, 10'001U, 131'072U}) {
      auto header = packed.header;
      header.unpacked_len = wrong;
      EXPECT_THAT(decode_chunk(header, packed.payload, codec, scratch), FailsWith(ErrorCode::kCorruption))
          << wrong;
    }
  }
  EXPECT_THAT(decode_chunk({Scheme::kNone, 10'000, 9'999}, chunk, codec, scratch),
              FailsWith(ErrorCode::kCorruption, "10000"));
}

TEST(DecodeChunk, AFrameLongerThanItsChunkAndAnEmptyChunkAreRead) {
  codec::Codec codec;
  ByteVector scratch(16);
  ByteVector payload(64);
  const ByteVector chunk = testing::random_bytes(10, 1);
  const auto size = codec.pack(Scheme::kLz4, chunk, payload);
  ASSERT_TRUE(size);
  ASSERT_GT(*size, chunk.size());
  EXPECT_THAT(decode_chunk({Scheme::kLz4, static_cast<uint32_t>(*size), 10}, ByteSpan(payload).first(*size),
                           codec, scratch),
              IsOk());
  const auto empty = codec.pack(Scheme::kBg4Lz4, {}, payload);
  ASSERT_TRUE(empty);
  EXPECT_THAT(decode_chunk({Scheme::kBg4Lz4, static_cast<uint32_t>(*empty), 0},
                           ByteSpan(payload).first(*empty), codec, {}),
              IsOk());
}

}  // namespace
}  // namespace xet::format
