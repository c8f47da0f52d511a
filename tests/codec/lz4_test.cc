#include "codec/lz4.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <lz4frame.h>

#include <string>

#include "codec/xxh32.h"
#include "support/generators.h"
#include "support/matchers.h"

namespace xet::codec {
namespace {

using testing::FailsWith;
using testing::IsOk;

ByteVector from_hex(std::string_view hex) {
  ByteVector out;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    out.push_back(static_cast<std::byte>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return out;
}

/// A frame by the library's own encoder, so that every feature of the format can be asked for.
ByteVector library_frame(ByteSpan in, const LZ4F_preferences_t& preferences) {
  ByteVector out(LZ4F_compressFrameBound(in.size(), &preferences));
  const size_t n = LZ4F_compressFrame(out.data(), out.size(), in.data(), in.size(), &preferences);
  EXPECT_FALSE(LZ4F_isError(n)) << LZ4F_getErrorName(n);
  out.resize(n);
  return out;
}

LZ4F_preferences_t preferences(LZ4F_blockSizeID_t block_class, LZ4F_blockMode_t mode) {
  LZ4F_preferences_t out = LZ4F_INIT_PREFERENCES;
  out.frameInfo.blockSizeID = block_class;
  out.frameInfo.blockMode = mode;
  return out;
}

Result<ByteVector> decompress(ByteSpan payload, size_t n) {
  ByteVector out(n);
  XET_TRY_STATUS(Lz4::decompress(payload, out));
  return out;
}

TEST(Xxh32, PublishedVectors) {
  EXPECT_EQ(xxh32({}), 0x02CC5D05U);
  EXPECT_EQ(xxh32(as_byte_span("a")), 0x550D7456U);
  EXPECT_EQ(xxh32(as_byte_span("Nobody inspects the spammish repetition")), 0xE2293B2FU);
}

TEST(Lz4, DecodesPublishedFrames) {
  const auto letters = decompress(from_hex("04224d186040820b0000001f6101004b50616161616100000000"), 100);
  ASSERT_THAT(letters, IsOk());
  EXPECT_EQ(*letters, ByteVector(100, std::byte{'a'}));
  const auto numbers = decompress(
      from_hex("04224d186040824c000000ff32000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202"
               "1222324"
               "25262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f000100a750000000000000000000"),
      256);
  ASSERT_THAT(numbers, IsOk());
  for (size_t i = 0; i < 256; ++i)
    EXPECT_EQ((*numbers)[i], i < 64 ? static_cast<std::byte>(i) : std::byte{0});
  EXPECT_THAT(decompress(from_hex("04224d1860408200000000"), 0), IsOk());
}

TEST(Lz4, WritesTheHeadersOfTheGenuineClient) {
  Lz4 lz4;
  ByteVector out(2000);
  const auto zeros = lz4.compress(ByteVector(131072), out);
  ASSERT_TRUE(zeros);
  EXPECT_EQ(*zeros, 539U);
  EXPECT_TRUE(std::ranges::equal(ByteSpan(out).first(16), from_hex("04224d186050fb0c0200001f000100ff")));
  ASSERT_TRUE(lz4.compress(ByteVector(65536), out));
  EXPECT_TRUE(std::ranges::equal(ByteSpan(out).first(7), from_hex("04224d18604082")));
  const auto empty = lz4.compress({}, out);
  ASSERT_TRUE(empty);
  EXPECT_TRUE(std::ranges::equal(ByteSpan(out).first(*empty), from_hex("04224d1860408200000000")));
}

TEST(Lz4, TheLibraryDecodesOurFrames) {
  Lz4 lz4;
  for (const size_t n : {1U, 100U, 65536U, 65537U, 131072U, 262144U}) {
    const ByteVector in = testing::text_bytes(n, n);
    ByteVector frame(n + Lz4::kFrameOverhead + n / 200 + 16);
    const auto size = lz4.compress(in, frame);
    ASSERT_TRUE(size) << n;
    LZ4F_dctx* context = nullptr;
    ASSERT_FALSE(LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)));
    ByteVector out(n + 1);
    size_t n_out = out.size(), n_in = *size;
    EXPECT_EQ(LZ4F_decompress(context, out.data(), &n_out, frame.data(), &n_in, nullptr), 0U);
    LZ4F_freeDecompressionContext(context);
    out.resize(n_out);
    EXPECT_EQ(out, in);
  }
}

TEST(Lz4, SaysWhenTheFrameDoesNotFit) {
  Lz4 lz4;
  const ByteVector text = testing::text_bytes(50'000, 1);
  ByteVector out(60'000);
  const auto size = lz4.compress(text, out);
  ASSERT_TRUE(size);
  EXPECT_TRUE(lz4.compress(text, MutableByteSpan(out).first(*size + 16)));
  for (const size_t room : {size_t{0}, size_t{10}, size_t{14}, *size / 2, *size - 20}) {
    EXPECT_FALSE(lz4.compress(text, MutableByteSpan(out).first(room))) << room;
  }
  const ByteVector random = testing::random_bytes(50'000, 1);
  EXPECT_FALSE(lz4.compress(random, MutableByteSpan(out).first(random.size() - 1)));
}

TEST(Lz4, ReadsEveryStandardFrame) {
  const ByteVector in = testing::text_bytes(131072, 3);
  for (const auto block_class : {LZ4F_max64KB, LZ4F_max256KB, LZ4F_max1MB, LZ4F_max4MB}) {
    for (const auto mode : {LZ4F_blockLinked, LZ4F_blockIndependent}) {
      for (int features = 0; features < 8; ++features) {
        auto options = preferences(block_class, mode);
        options.frameInfo.blockChecksumFlag =
            (features & 1) != 0 ? LZ4F_blockChecksumEnabled : LZ4F_noBlockChecksum;
        options.frameInfo.contentChecksumFlag =
            (features & 2) != 0 ? LZ4F_contentChecksumEnabled : LZ4F_noContentChecksum;
        options.frameInfo.contentSize = (features & 4) != 0 ? in.size() : 0;
        const ByteVector frame = library_frame(in, options);
        const auto out = decompress(frame, in.size());
        ASSERT_THAT(out, IsOk()) << block_class << " " << mode << " " << features;
        EXPECT_EQ(*out, in);
        EXPECT_THAT(decompress(frame, in.size() - 1), FailsWith(ErrorCode::kCorruption));
        EXPECT_THAT(decompress(frame, in.size() + 1), FailsWith(ErrorCode::kCorruption));
      }
    }
  }
}

TEST(Lz4, ReadsStoredBlocks) {
  const ByteVector in = testing::random_bytes(131072, 4);
  const auto out = decompress(library_frame(in, preferences(LZ4F_max64KB, LZ4F_blockLinked)), in.size());
  ASSERT_THAT(out, IsOk());
  EXPECT_EQ(*out, in);
}

TEST(Lz4, IgnoresBytesAfterTheEndMarkAndAMissingEndMark) {
  const ByteVector in = testing::text_bytes(5000, 5);
  auto options = preferences(LZ4F_max64KB, LZ4F_blockLinked);
  for (const auto checksum : {LZ4F_noContentChecksum, LZ4F_contentChecksumEnabled}) {
    options.frameInfo.contentChecksumFlag = checksum;
    ByteVector frame = library_frame(in, options);
    const size_t end_mark = frame.size() - (checksum == LZ4F_noContentChecksum ? 4 : 8);
    for (size_t kept = 0; kept < 4; ++kept) {
      EXPECT_THAT(decompress(ByteSpan(frame).first(end_mark + kept), in.size()), IsOk()) << kept;
    }
    append_bytes(frame, as_byte_span("anything"));
    EXPECT_THAT(decompress(frame, in.size()), IsOk());
  }
}

TEST(Lz4, ReadsBlocksThatDecodeToNothing) {
  // One independent and one linked frame: a stored 'a', then a block of one token without literals, then the
  // end mark. Where no content is left to come there is no room for the block to decode to.
  for (const char* flags : {"6040"
                            "82",
                            "4040"
                            "c0"}) {
    for (const char* token : {"00", "02", "0f"}) {
      const auto nothing = fmt::format("04224d18{}01000000{}00000000", flags, token);
      EXPECT_THAT(decompress(from_hex(nothing), 0), IsOk()) << nothing;
      const auto after = fmt::format(
          "04224d18{}0100008061"
          "01000000{}00000000",
          flags, token);
      EXPECT_THAT(decompress(from_hex(after), 1), IsOk()) << after;
      EXPECT_THAT(decompress(from_hex(after), 2), FailsWith(ErrorCode::kCorruption)) << after;
      // one literal more than there is room for
      const auto more = fmt::format("04224d18{}010000806102000000106200000000", flags);
      EXPECT_THAT(decompress(from_hex(more), 1), FailsWith(ErrorCode::kCorruption)) << more;
      EXPECT_THAT(decompress(from_hex(more), 2), IsOk()) << more;
    }
  }
}

TEST(Lz4, RefusesTwoFramesABareBlockAndOtherFrameKinds) {
  const ByteVector half = testing::text_bytes(5000, 6);
  ByteVector frame = library_frame(half, preferences(LZ4F_max64KB, LZ4F_blockIndependent));
  const ByteVector bare(frame.begin() + 11, frame.end() - 4);
  append_bytes(frame, ByteVector(frame));
  EXPECT_THAT(decompress(frame, 10'000), FailsWith(ErrorCode::kCorruption));
  EXPECT_THAT(decompress(bare, half.size()), FailsWith(ErrorCode::kCorruption, "magic"));
  EXPECT_THAT(decompress(from_hex("02214c18"
                                  "00000000"),
                         0),
              FailsWith(ErrorCode::kCorruption, "magic"));
  EXPECT_THAT(decompress(from_hex("502a4d18"
                                  "00000000"),
                         0),
              FailsWith(ErrorCode::kCorruption, "magic"));
  EXPECT_THAT(decompress({}, 0), FailsWith(ErrorCode::kCorruption));
}

TEST(Lz4, RefusesBrokenDescriptors) {
  const auto with_checksum = [](std::string_view descriptor) {
    const ByteVector bytes = from_hex(descriptor);
    ByteVector frame = from_hex("04224d18");
    append_bytes(frame, bytes);
    append_le(frame, static_cast<uint8_t>(xxh32(bytes) >> 8));
    append_le(frame, uint32_t{0});
    return frame;
  };
  EXPECT_THAT(decompress(with_checksum("6040"), 0), IsOk());
  EXPECT_THAT(decompress(with_checksum("2040"), 0), FailsWith(ErrorCode::kCorruption, "version"));
  EXPECT_THAT(decompress(with_checksum("6240"), 0), FailsWith(ErrorCode::kCorruption, "reserved"));
  EXPECT_THAT(decompress(with_checksum("60c0"), 0), FailsWith(ErrorCode::kCorruption, "reserved"));
  EXPECT_THAT(decompress(with_checksum("6041"), 0), FailsWith(ErrorCode::kCorruption, "reserved"));
  EXPECT_THAT(decompress(with_checksum("6030"), 0), FailsWith(ErrorCode::kCorruption, "class"));
  EXPECT_THAT(decompress(with_checksum("614001000000"), 0), FailsWith(ErrorCode::kCorruption, "dictionary"));
  EXPECT_THAT(decompress(from_hex("04224d1860408300000000"), 0),
              FailsWith(ErrorCode::kCorruption, "checksum"));
}

TEST(Lz4, NoticesEveryFlippedChecksumBit) {
  const ByteVector in = testing::text_bytes(3000, 7);
  auto options = preferences(LZ4F_max64KB, LZ4F_blockLinked);
  options.frameInfo.blockChecksumFlag = LZ4F_blockChecksumEnabled;
  options.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled;
  const ByteVector frame = library_frame(in, options);
  for (size_t at = 0; at < frame.size(); ++at) {
    ByteVector broken = frame;
    broken[at] ^= std::byte{0x10};
    EXPECT_THAT(decompress(broken, in.size()), FailsWith(ErrorCode::kCorruption)) << at;
  }
}

TEST(Lz4, RefusesEveryTruncationInsideABlock) {
  const ByteVector in = testing::text_bytes(3000, 8);
  const ByteVector frame = library_frame(in, preferences(LZ4F_max64KB, LZ4F_blockIndependent));
  for (size_t n = 0; n < frame.size() - 4; ++n) {
    EXPECT_THAT(decompress(ByteSpan(frame).first(n), in.size()), FailsWith(ErrorCode::kCorruption)) << n;
  }
}

}  // namespace
}  // namespace xet::codec
