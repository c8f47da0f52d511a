#include "codec/codec.h"

#include <gtest/gtest.h>

#include "codec/policy.h"
#include "support/generators.h"
#include "support/matchers.h"

namespace xet::codec {
namespace {

using testing::FailsWith;
using testing::IsOk;

TEST(Codec, RoundTripsEverySchemeAndLength) {
  Codec codec;
  for (const auto scheme : {Scheme::kNone, Scheme::kLz4, Scheme::kBg4Lz4}) {
    for (const size_t n : {0U, 1U, 3U, 4U, 5U, 17U, 1000U, 65536U, 65537U, 131071U, 131072U}) {
      for (const auto& in :
           {testing::text_bytes(n, n), testing::bf16_bytes(n, n), testing::random_bytes(n, n)}) {
        ByteVector packed(n + n / 100 + 64);
        const auto size = codec.pack(scheme, in, packed);
        ASSERT_TRUE(size);
        ByteVector out(n);
        ASSERT_THAT(codec.unpack(scheme, ByteSpan(packed).first(*size), out), IsOk());
        ASSERT_EQ(out, in) << n;
      }
    }
  }
}

TEST(Codec, ByteGroupedNumbersHaveThePublishedPayload) {
  ByteVector numbers;
  for (uint32_t i = 0; i < 64; ++i) append_le(numbers, i);
  Codec codec;
  ByteVector packed(300);
  const auto size = codec.pack(Scheme::kBg4Lz4, numbers, packed);
  ASSERT_TRUE(size);
  EXPECT_EQ(*size, 91U);
}

TEST(Codec, AStoredPayloadMustHaveTheLengthOfTheChunk) {
  Codec codec;
  ByteVector out(5);
  EXPECT_THAT(codec.unpack(Scheme::kNone, ByteVector(4), out), FailsWith(ErrorCode::kCorruption));
  EXPECT_FALSE(codec.pack(Scheme::kNone, ByteVector(6), out));
}

TEST(Policy, ParsesAsTheGenuineClientDoes) {
  EXPECT_EQ(parse_policy(""), Policy::kAuto);
  EXPECT_EQ(parse_policy("Auto"), Policy::kAuto);
  EXPECT_EQ(parse_policy("NONE"), Policy::kNone);
  EXPECT_EQ(parse_policy("lz4"), Policy::kLz4);
  EXPECT_EQ(parse_policy("BG4-lz4"), Policy::kBg4Lz4);
  EXPECT_EQ(parse_policy(" lz4"), std::nullopt);
  EXPECT_EQ(parse_policy("zstd"), std::nullopt);
}

}  // namespace
}  // namespace xet::codec
