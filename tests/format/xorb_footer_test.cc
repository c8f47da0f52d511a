#include "format/xorb_footer.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "format/samples.h"
#include "format/xorb_check.h"
#include "support/generators.h"
#include "support/matchers.h"

namespace xet::format {
namespace {

using testing::FailsWith;
using testing::IsOk;
using testing::sample_xorb;

/// Three chunks of 100 bytes, not compressed.
XorbFooter three_chunks() {
  XorbFooterBuilder builder;
  for (uint64_t i = 0; i < 3; ++i)
    EXPECT_THAT(builder.add(ChunkHash(testing::random_hash(i)), 100, 100), IsOk());
  return builder.finish();
}

ByteVector encoded(const XorbFooter& footer) {
  ByteVector out;
  footer.append_to(out);
  return out;
}

TEST(XorbBoundaries, RangesAsPublished) {
  const XorbFooter footer = three_chunks();
  EXPECT_EQ(footer.ends.packed_ends, (std::vector<uint32_t>{108, 216, 324}));
  EXPECT_EQ(*footer.ends.packed_range(0, 1), (PackedRange{0, 108}));
  EXPECT_EQ(*footer.ends.packed_range(1, 3), (PackedRange{108, 324}));
  EXPECT_THAT(footer.ends.packed_range(1, 1), FailsWith(ErrorCode::kInvalidArgument));
  EXPECT_THAT(footer.ends.packed_range(2, 1), FailsWith(ErrorCode::kInvalidArgument));
  EXPECT_THAT(footer.ends.packed_range(2, 4), FailsWith(ErrorCode::kInvalidArgument));
}

TEST(XorbBoundaries, Lengths) {
  const XorbBoundaries ends = three_chunks().ends;
  EXPECT_EQ(*ends.unpacked_len(0, 3), 300U);
  EXPECT_EQ(*ends.unpacked_len(1, 2), 100U);
  EXPECT_EQ(*ends.unpacked_len(2, 2), 0U);
  EXPECT_THAT(ends.unpacked_len(3, 3), FailsWith(ErrorCode::kInvalidArgument));
  EXPECT_THAT(ends.unpacked_len(0, 4), FailsWith(ErrorCode::kInvalidArgument));
  EXPECT_THAT(ends.unpacked_len(2, 1), FailsWith(ErrorCode::kInvalidArgument));
}

TEST(XorbFooter, SizesAsPublished) {
  EXPECT_EQ(encoded(XorbFooter()).size(), 92U + 4U);
  EXPECT_EQ(encoded(three_chunks()).size(), 92U + 120U + 4U);
}

TEST(XorbFooter, ReadsWhatItWritesFromAnyTail) {
  for (const size_t n : {1U, 2U, 50U}) {
    const auto xorb = sample_xorb(n, n);
    const ByteVector object = xorb.object();
    const ByteSpan bytes = object;
    const auto size = XorbFooter::tail_size(bytes.last(4), object.size());
    ASSERT_THAT(size, IsOk());
    EXPECT_EQ(*size, XorbFooter::encoded_size(n) + 4);
    for (const size_t tail : {*size, std::min(*size + 17, object.size()), object.size()}) {
      const auto footer = XorbFooter::parse_tail(bytes.last(tail), object.size());
      ASSERT_THAT(footer, IsOk());
      EXPECT_EQ(*footer, xorb.footer);
    }
    EXPECT_THAT(XorbFooter::parse_tail(bytes.last(*size - 1), object.size()),
                FailsWith(ErrorCode::kInvalidArgument));
    EXPECT_THAT(XorbFooter::parse_tail(bytes.last(*size), object.size() + 1),
                FailsWith(ErrorCode::kCorruption));
  }
}

TEST(XorbFooter, ReadsTheBoundariesAlone) {
  const auto xorb = sample_xorb(20, 1);
  const ByteVector object = xorb.object();
  const ByteSpan bytes = object;
  const auto size = boundary_tail_size(bytes.last(24));
  ASSERT_THAT(size, IsOk());
  EXPECT_EQ(*size, 40 + 8 * 20 + 4U);
  const auto ends = parse_boundaries(bytes.last(*size));
  ASSERT_THAT(ends, IsOk());
  EXPECT_EQ(*ends, xorb.footer.ends);
  EXPECT_THAT(boundary_tail_size(bytes.last(23)), FailsWith(ErrorCode::kCorruption));
  EXPECT_THAT(parse_boundaries(bytes.last(*size - 1)), FailsWith(ErrorCode::kInvalidArgument));
}

TEST(XorbFooter, TheBufferIsIgnored) {
  ByteVector bytes = encoded(three_chunks());
  testing::poke(bytes, bytes.size() - 20, 0x12345678);
  const auto footer = XorbFooter::parse_tail(bytes, 324 + bytes.size());
  ASSERT_THAT(footer, IsOk());
  EXPECT_EQ(*footer, three_chunks());
}

ByteVector version_0(const XorbFooter& footer) {
  const size_t n = footer.chunk_count();
  ByteVector out(60 + 36 * n);
  const auto copy = [&out](ByteSpan from, size_t at) {
    std::ranges::copy(from, out.begin() + static_cast<ptrdiff_t>(at));
  };
  copy(as_byte_span("XETBLOB"), 0);
  copy(footer.hash.raw(), 8);
  testing::poke(out, 40, n);
  for (size_t i = 0; i < n; ++i) {
    testing::poke(out, 44 + 4 * i, footer.ends.packed_ends[i]);
    copy(footer.chunk_hashes[i].raw(), 44 + 4 * n + 32 * i);
  }
  return out;
}

TEST(XorbFooter, ReadsVersion0WithoutUncompressedLengths) {
  const XorbFooter expected = three_chunks();
  const ByteVector bytes = version_0(expected);
  EXPECT_EQ(bytes.size(), 60U + 36U * 3U);
  const auto footer = XorbFooter::parse(bytes);
  ASSERT_THAT(footer, IsOk());
  EXPECT_EQ(footer->hash, expected.hash);
  EXPECT_EQ(footer->chunk_hashes, expected.chunk_hashes);
  EXPECT_EQ(footer->ends.packed_ends, expected.ends.packed_ends);
  EXPECT_FALSE(footer->ends.has_unpacked());
  EXPECT_THAT(footer->ends.packed_range(0, 3), IsOk());
  EXPECT_THAT(footer->ends.unpacked_len(0, 1), FailsWith(ErrorCode::kInvalidArgument));
}

TEST(CheckXorb, FillsInTheLengthsOfAVersion0Object) {
  const auto xorb = sample_xorb(5, 2);
  ByteVector object = xorb.body;
  append_bytes(object, version_0(xorb.footer));
  append_le(object, static_cast<uint32_t>(object.size() - xorb.body.size()));
  codec::Codec codec;
  const auto footer = check_xorb(object, xorb.footer.hash, codec);
  ASSERT_THAT(footer, IsOk());
  EXPECT_EQ(*footer, xorb.footer);
}

TEST(XorbFooter, EveryTruncationIsAnError) {
  const ByteVector bytes = encoded(three_chunks());
  for (size_t n = 0; n < bytes.size() - 4; ++n) {
    EXPECT_THAT(XorbFooter::parse(ByteSpan(bytes).first(n)), FailsWith(ErrorCode::kCorruption)) << n;
  }
  EXPECT_THAT(XorbFooter::parse(bytes), FailsWith(ErrorCode::kCorruption, "too many"));
}

TEST(XorbFooterBuilder, KeepsToTheLimits) {
  XorbFooterBuilder builder;
  for (size_t i = 0; i < kMaxXorbBytes / kMaxChunkBytes; ++i) {
    ASSERT_THAT(builder.add(ChunkHash(), kMaxChunkBytes, kMaxChunkBytes), IsOk());
  }
  EXPECT_THAT(builder.add(ChunkHash(), 1, 1), FailsWith(ErrorCode::kRefused));
  EXPECT_EQ(builder.unpacked_size(), kMaxXorbBytes);
  builder.finish();
  EXPECT_EQ(builder.chunk_count(), 0U);
  for (size_t i = 0; i < kMaxXorbChunks; ++i) ASSERT_THAT(builder.add(ChunkHash(), 1, 1), IsOk());
  EXPECT_THAT(builder.add(ChunkHash(), 1, 1), FailsWith(ErrorCode::kRefused, "8192"));
}

TEST(XorbFooterBuilder, NothingHasTheZeroHash) {
  EXPECT_TRUE(XorbFooterBuilder().finish().hash.is_zero());
}

}  // namespace
}  // namespace xet::format
