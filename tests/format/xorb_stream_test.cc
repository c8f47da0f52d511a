#include "format/xorb_stream.h"

#include <gtest/gtest.h>

#include "format/samples.h"
#include "format/xorb_check.h"
#include "support/generators.h"
#include "support/matchers.h"

namespace xet::format {
namespace {

using Footer = XorbStreamReader::Footer;
using testing::FailsWith;
using testing::IsOk;
using testing::sample_xorb;

/// Feeds `bytes` in pieces of random length up to `max_piece`.
Result<XorbFooter> read_in_pieces(XorbStreamReader& reader, ByteSpan bytes, size_t max_piece, uint64_t seed) {
  testing::SplitMix64 random(seed);
  while (!bytes.empty()) {
    const size_t n = std::min<size_t>(bytes.size(), 1 + random.below(max_piece));
    const ByteVector piece(bytes.begin(),
                           bytes.begin() + static_cast<ptrdiff_t>(n));  // ASan sees stale views
    XET_TRY_STATUS(reader.feed(piece));
    bytes = bytes.subspan(n);
  }
  return reader.finish();
}

TEST(XorbStreamReader, FindsTheSameForAnySplit) {
  const auto xorb = sample_xorb(40, 1);
  const ByteVector object = xorb.object();
  codec::Codec codec;
  for (const bool with_footer : {false, true}) {
    for (const size_t max_piece : {1UL, 3UL, 20UL, 5000UL, 100'000UL, 1UL << 30}) {
      size_t next = 0;
      uint64_t offset = 0;
      XorbStreamReader reader(codec, Footer::kAllowed, [&](const StreamedChunk& chunk) -> Status {
        EXPECT_EQ(chunk.index, next);
        EXPECT_EQ(chunk.offset, offset);
        EXPECT_TRUE(std::ranges::equal(chunk.unpacked, xorb.chunks[next]));
        EXPECT_EQ(chunk.hash, xorb.footer.chunk_hashes[next]);
        EXPECT_TRUE(std::ranges::equal(chunk.encoded,
                                       ByteSpan(xorb.body).subspan(chunk.offset, chunk.encoded.size())));
        offset += chunk.encoded.size();
        ++next;
        return {};
      });
      const auto footer = read_in_pieces(reader, with_footer ? object : xorb.body, max_piece, max_piece);
      ASSERT_THAT(footer, IsOk()) << with_footer << " " << max_piece;
      EXPECT_EQ(*footer, xorb.footer);
      EXPECT_EQ(next, xorb.chunks.size());
    }
  }
}

TEST(XorbStreamReader, AnEmptyBodyHasNoChunks) {
  codec::Codec codec;
  XorbStreamReader reader(codec, Footer::kForbidden, {});
  const auto footer = reader.finish();
  ASSERT_THAT(footer, IsOk());
  EXPECT_EQ(footer->chunk_count(), 0U);
  EXPECT_TRUE(footer->hash.is_zero());
}

TEST(XorbStreamReader, EveryTruncationInsideAChunkIsAnError) {
  const auto xorb = sample_xorb(3, 2);
  codec::Codec codec;
  size_t n_whole = 0;
  for (size_t n = 0; n < xorb.body.size(); n += n < 100 ? 1 : 97) {
    XorbStreamReader reader(codec, Footer::kForbidden, {});
    ASSERT_THAT(reader.feed(ByteSpan(xorb.body).first(n)), IsOk());
    const auto& ends = xorb.footer.ends.packed_ends;
    const bool whole = n == 0 || std::ranges::find(ends, n) != ends.end();
    n_whole += whole ? 1 : 0;
    if (!whole) {
      EXPECT_THAT(reader.finish(), FailsWith(ErrorCode::kCorruption, "truncated")) << n;
    }
  }
  EXPECT_GE(n_whole, 1U);
}

TEST(XorbStreamReader, AFooterWhereNoneIsAllowedIsAnError) {
  const auto xorb = sample_xorb(3, 3);
  codec::Codec codec;
  XorbStreamReader reader(codec, Footer::kForbidden, {});
  EXPECT_THAT(reader.feed(xorb.object()), FailsWith(ErrorCode::kCorruption, "footer"));
}

TEST(XorbStreamReader, AFooterThatDisagreesIsAnError) {
  const auto xorb = sample_xorb(3, 4);
  codec::Codec codec;
  const size_t footer = xorb.body.size();
  const size_t end = xorb.object().size();
  // hash, chunk hash, boundary, count, distance, length; not the 16 bytes of buffer
  for (const size_t at : {footer + 8, footer + 52, footer + 64 + 96, end - 32, end - 28, end - 24, end - 4}) {
    ByteVector object = xorb.object();
    object[at] ^= std::byte{1};
    EXPECT_THAT(rebuild_footer(object, codec), FailsWith(ErrorCode::kCorruption)) << at - footer;
  }
  ByteVector longer = xorb.object();
  longer.push_back(std::byte{0});
  EXPECT_THAT(rebuild_footer(longer, codec), FailsWith(ErrorCode::kCorruption, "behind the footer"));
  ByteVector shorter = xorb.object();
  shorter.pop_back();
  EXPECT_THAT(rebuild_footer(shorter, codec), FailsWith(ErrorCode::kCorruption));
}

TEST(XorbStreamReader, ErrorsNameChunkAndOffset) {
  const auto xorb = sample_xorb(3, 5);
  const uint32_t second = xorb.footer.ends.packed_ends[0];
  ByteVector body = xorb.body;
  body[second + 4] = std::byte{3};
  codec::Codec codec;
  EXPECT_THAT(rebuild_footer(body, codec),
              FailsWith(ErrorCode::kCorruption, "xorb chunk 1 at offset " + std::to_string(second)));
}

TEST(XorbStreamReader, PassesOnTheErrorOfTheCallback) {
  const auto xorb = sample_xorb(3, 6);
  codec::Codec codec;
  XorbStreamReader reader(codec, Footer::kForbidden,
                          [](const StreamedChunk&) -> Status { return fail(ErrorCode::kIo, "disk full"); });
  EXPECT_THAT(reader.feed(xorb.body), FailsWith(ErrorCode::kIo, "disk full"));
}

TEST(XorbStreamReader, RefusesMoreThanAXorbHolds) {
  codec::Codec codec;
  ByteVector chunk = {std::byte{0}};
  ByteVector encoded(9);
  encode_chunk(chunk, codec, encoded);
  XorbStreamReader reader(codec, Footer::kForbidden, {});
  for (size_t i = 0; i < kMaxXorbChunks; ++i) ASSERT_THAT(reader.feed(encoded), IsOk());
  EXPECT_THAT(reader.feed(encoded), FailsWith(ErrorCode::kCorruption, "8192"));

  ByteVector zeros(max_encoded_chunk(kMaxChunkBytes));
  zeros.resize(encode_chunk(ByteVector(kMaxChunkBytes), codec, zeros));
  XorbStreamReader large(codec, Footer::kForbidden, {});
  for (size_t i = 0; i < kMaxXorbBytes / kMaxChunkBytes; ++i) ASSERT_THAT(large.feed(zeros), IsOk());
  EXPECT_THAT(large.feed(zeros), FailsWith(ErrorCode::kCorruption, "67108864"));
}

TEST(CheckXorb, AcceptsAWholeObjectUnderItsName) {
  const auto xorb = sample_xorb(10, 7);
  codec::Codec codec;
  const auto footer = check_xorb(xorb.object(), xorb.footer.hash, codec);
  ASSERT_THAT(footer, IsOk());
  EXPECT_EQ(*footer, xorb.footer);
  EXPECT_THAT(check_xorb(xorb.object(), XorbHash(), codec), FailsWith(ErrorCode::kCorruption, "not 0000"));
}

TEST(CheckXorb, NoticesEveryChangedByteOutsideTheBuffer) {
  const auto xorb = sample_xorb(2, 8);
  const ByteVector object = xorb.object();
  codec::Codec codec;
  const size_t buffer = object.size() - 20;
  for (size_t at = 0; at < object.size(); at += at < xorb.body.size() - 40 ? 211 : 1) {
    ByteVector changed = object;
    changed[at] ^= std::byte{0x40};
    const auto result = check_xorb(changed, xorb.footer.hash, codec);
    if (at >= buffer && at < buffer + 16) {
      EXPECT_THAT(result, IsOk()) << at;
    } else {
      EXPECT_THAT(result, FailsWith(ErrorCode::kCorruption)) << at;
    }
  }
}

TEST(CheckXorb, RefusesAnEmptyXorb) {
  codec::Codec codec;
  ByteVector object;
  XorbFooter().append_to(object);
  EXPECT_THAT(check_xorb(object, XorbHash(), codec), FailsWith(ErrorCode::kCorruption, "without chunks"));
}

}  // namespace
}  // namespace xet::format
