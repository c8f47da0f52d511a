#include "codec/crc64.h"

#include <gtest/gtest.h>

#include "support/generators.h"

namespace xet::codec {
namespace {

TEST(Crc64, PublishedVectors) {
  EXPECT_EQ(crc64({}), 0U);
  EXPECT_EQ(crc64(as_byte_span("123456789")), 0xae8b14860a799888U);
  EXPECT_EQ(crc64(ByteVector(32)), 0xcf3473434d4ecf3bU);
  EXPECT_EQ(crc64(ByteVector(32, std::byte{0xFF})), 0xa0a06974c34d63c4U);
  ByteVector all(256);
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::byte>(i);
  EXPECT_EQ(crc64(all), 0xff71e21279d9966eU);
  EXPECT_EQ(crc64(testing::random_bytes(1'000'000, 0)), 0xa5590bd34c5680baU);
}

TEST(Crc64, SameForAnySplit) {
  const ByteVector data = testing::random_bytes(5000, 7);
  const uint64_t whole = crc64(data);
  testing::SplitMix64 random(1);
  for (int round = 0; round < 100; ++round) {
    Crc64 crc;
    for (ByteSpan rest = data; !rest.empty();) {
      const size_t n = std::min<size_t>(rest.size(), random.below(600));
      crc.update(rest.first(n));
      rest = rest.subspan(n);
    }
    ASSERT_EQ(crc.value(), whole) << "round " << round;
  }
}

TEST(Crc64, CombinesChecksumsOfPieces) {
  const ByteVector data = testing::random_bytes(3000, 8);
  const uint64_t whole = crc64(data);
  for (const size_t cut : {0U, 1U, 7U, 64U, 1500U, 2999U, 3000U}) {
    const ByteSpan bytes = data;
    EXPECT_EQ(crc64_combine(crc64(bytes.first(cut)), crc64(bytes.subspan(cut)), data.size() - cut), whole)
        << cut;
  }
}

class EachCrc64Kernel : public ::testing::TestWithParam<Crc64Kernel> {};

TEST_P(EachCrc64Kernel, EqualsTheBitwiseDefinitionAtEveryLength) {
  const auto& kernel = GetParam();
  if (!kernel.supported()) GTEST_SKIP() << "this CPU has no " << kernel.name;
  const ByteVector data = testing::random_bytes(700, 9);
  uint64_t bitwise = 0x0123456789abcdefU;
  for (size_t n = 0; n <= data.size(); ++n) {
    ASSERT_EQ(kernel.update(0x0123456789abcdefU, ByteSpan(data).first(n)), bitwise)
        << kernel.name << " " << n;
    if (n == data.size()) break;
    bitwise ^= std::to_integer<uint64_t>(data[n]);
    for (int bit = 0; bit < 8; ++bit)
      bitwise = (bitwise >> 1) ^ ((bitwise & 1) != 0 ? 0x9a6c9329ac4bc9b5U : 0);
  }
}

INSTANTIATE_TEST_SUITE_P(Crc64, EachCrc64Kernel,
                         ::testing::ValuesIn(crc64_kernels().begin(), crc64_kernels().end()),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace xet::codec
