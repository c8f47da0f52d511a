#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>
#include <unordered_set>

#include "base/bytes.h"
#include "support/generators.h"
#include "xet/hash.h"

namespace xet {
namespace {

std::array<std::byte, 32> counting_bytes() {
  std::array<std::byte, 32> out;
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::byte>(i);
  return out;
}

TEST(HashString, PrintsEachGroupOfEightBytesReversed) {
  EXPECT_EQ(ChunkHash(counting_bytes()).hex(),
            "07060504030201000f0e0d0c0b0a090817161514131211101f1e1d1c1b1a1918");
  EXPECT_EQ(
      ChunkHash::from_words(0xd6834b04843aaf16, 0xf29903e2428a99be, 0x635099f9ea5056cc, 0x4e95e7ec8a41509f)
          .hex(),
      "d6834b04843aaf16f29903e2428a99be635099f9ea5056cc4e95e7ec8a41509f");
}

TEST(HashString, ReadsThePublishedHashAsItsRawBytes) {
  const auto hash = ChunkHash::from_hex("d6834b04843aaf16f29903e2428a99be635099f9ea5056cc4e95e7ec8a41509f");
  ASSERT_TRUE(hash.has_value());
  const std::array<uint8_t, 32> raw = {0x16, 0xaf, 0x3a, 0x84, 0x04, 0x4b, 0x83, 0xd6, 0xbe, 0x99, 0x8a,
                                       0x42, 0xe2, 0x03, 0x99, 0xf2, 0xcc, 0x56, 0x50, 0xea, 0xf9, 0x99,
                                       0x50, 0x63, 0x9f, 0x50, 0x41, 0x8a, 0xec, 0xe7, 0x95, 0x4e};
  EXPECT_TRUE(std::ranges::equal(hash->raw(), std::as_bytes(std::span(raw))));
}

TEST(HashString, RoundTrips) {
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    const auto hash = testing::random_hash(seed);
    EXPECT_EQ(NodeHash::from_hex(hash.hex()), hash);
  }
}

TEST(HashString, ReadsEitherCase) {
  const auto hash = testing::random_hash(3);
  std::string upper = hash.hex();
  std::ranges::transform(upper, upper.begin(), [](unsigned char c) { return std::toupper(c); });
  EXPECT_NE(upper, hash.hex());
  EXPECT_EQ(NodeHash::from_hex(upper), hash);
}

TEST(HashString, RefusesAnythingElse) {
  const std::string good = testing::random_hash(1).hex();
  EXPECT_FALSE(ChunkHash::from_hex(""));
  EXPECT_FALSE(ChunkHash::from_hex("abcdef"));
  EXPECT_FALSE(ChunkHash::from_hex(std::string(64, 'g')));
  EXPECT_FALSE(ChunkHash::from_hex(good.substr(1)));
  EXPECT_FALSE(ChunkHash::from_hex(good + "0"));
  EXPECT_FALSE(ChunkHash::from_hex(" " + good));
  for (size_t i = 0; i < good.size(); ++i) {
    for (const char bad : {'g', 'G', '/', ':', '@', '`', ' ', '\0', '\xff', '-', 'x'}) {
      std::string broken = good;
      broken[i] = bad;
      EXPECT_FALSE(ChunkHash::from_hex(broken)) << i << " " << int{bad};
    }
  }
}

TEST(HashWords, AreLittleEndianGroupsInOrder) {
  const ChunkHash hash(counting_bytes());
  EXPECT_EQ(hash.word(0), 0x0706050403020100U);
  EXPECT_EQ(hash.word(3), 0x1f1e1d1c1b1a1918U);
  EXPECT_EQ(ChunkHash::from_words(hash.word(0), hash.word(1), hash.word(2), hash.word(3)), hash);
}

TEST(HashOrder, IsTheOrderOfTheStringsNotOfTheRawBytes) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const auto a = testing::random_hash(seed);
    auto b = testing::random_hash(seed + 1);
    if (seed % 3 == 1) b = NodeHash::from_words(a.word(0), a.word(1), b.word(2), b.word(3));
    if (seed % 3 == 2) b = NodeHash::from_words(a.word(0), a.word(1), a.word(2), a.word(3) + 1);
    EXPECT_EQ(a < b, a.hex() < b.hex());
    EXPECT_EQ(a > b, a.hex() > b.hex());
    EXPECT_EQ(a <=> a, std::strong_ordering::equal);
  }
  const auto low_byte_set = ChunkHash::from_words(1, 0, 0, 0);            // raw bytes 01 00 …
  const auto high_byte_set = ChunkHash::from_words(1ULL << 56, 0, 0, 0);  // raw bytes 00 … 01
  EXPECT_LT(low_byte_set, high_byte_set);
}

TEST(Hash, ZeroIsTheDefault) {
  EXPECT_TRUE(ChunkHash{}.is_zero());
  EXPECT_FALSE(ChunkHash::from_words(0, 0, 0, 1).is_zero());
  EXPECT_EQ(FileHash{}.hex(), std::string(64, '0'));
}

TEST(Hash, WorksAsAKey) {
  std::unordered_set<NodeHash> set;
  for (uint64_t seed = 0; seed < 100; ++seed) set.insert(testing::random_hash(seed));
  EXPECT_EQ(set.size(), 100U);
  EXPECT_TRUE(set.contains(testing::random_hash(50)));
  EXPECT_FALSE(set.contains(testing::random_hash(100)));
}

TEST(RandomHash, IsTheOneOfThePublishedVectors) {
  EXPECT_EQ(testing::random_hash(1).hex(),
            "cfc5d07f6f03c29bbf424132963fe08d19a37d5757aaf520bf08119f05cd56d6");
  EXPECT_EQ(testing::random_hash(7).hex(),
            "0e2c1a002aae913d2c0fc8ddfa4e9e14b7b311b3b0d458726d5d9f6a6318013c");
  EXPECT_EQ(testing::random_hash(1234).hex(),
            "c1cdea79b61cd4776c9f3f8e08767fd5f42e33f9cec8c13d01b947901fad1954");
  EXPECT_EQ(testing::random_hash(12345).hex(),
            "8d948a82def8a5683477f953796702a015caa2fce6db8d692cef8853c20c6dd0");
}

TEST(SplitMix64, IsTheOneOfThePublishedVectors) {
  testing::SplitMix64 generator(0);
  EXPECT_EQ(generator.next(), 0xe220a8397b1dcdafU);
  EXPECT_EQ(generator.next(), 0x6e789e6aa1b965f4U);
  EXPECT_EQ(generator.next(), 0x06c45d188009454fU);
  const auto data = testing::random_bytes(1000000, 0);
  EXPECT_EQ(data[0], std::byte{175});
  EXPECT_EQ(data[127], std::byte{132});
  EXPECT_EQ(data[111111], std::byte{118});
}

}  // namespace
}  // namespace xet
