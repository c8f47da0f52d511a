#include "codec/byte_grouping.h"

#include <gtest/gtest.h>

#include "support/generators.h"

namespace xet::codec {
namespace {

ByteVector counting(size_t n, unsigned first = 0) {
  ByteVector out(n);
  for (size_t i = 0; i < n; ++i) out[i] = static_cast<std::byte>(first + i);
  return out;
}

std::vector<int> grouped(ByteSpan in) {
  ByteVector out(in.size());
  group_bytes(in, out);
  std::vector<int> numbers;
  for (const std::byte byte : out) numbers.push_back(std::to_integer<int>(byte));
  return numbers;
}

TEST(ByteGrouping, PublishedVectors) {
  EXPECT_EQ(grouped(counting(8)), (std::vector{0, 4, 1, 5, 2, 6, 3, 7}));
  EXPECT_EQ(grouped(counting(10)), (std::vector{0, 4, 8, 1, 5, 9, 2, 6, 3, 7}));
  EXPECT_EQ(grouped(counting(11)), (std::vector{0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7}));
  EXPECT_EQ(grouped(counting(13)), (std::vector{0, 4, 8, 12, 1, 5, 9, 2, 6, 10, 3, 7, 11}));
  EXPECT_EQ(grouped(counting(15)), (std::vector{0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11}));
  EXPECT_EQ(grouped(counting(10, 1)), (std::vector{1, 5, 9, 2, 6, 10, 3, 7, 4, 8}));
}

TEST(ByteGrouping, LessThanFourBytesStayAsTheyAre) {
  EXPECT_EQ(grouped(counting(0)), (std::vector<int>{}));
  EXPECT_EQ(grouped(counting(1)), (std::vector{0}));
  EXPECT_EQ(grouped(counting(3)), (std::vector{0, 1, 2}));
}

class EachByteGroupingKernel : public ::testing::TestWithParam<ByteGroupingKernel> {};

TEST_P(EachByteGroupingKernel, EqualsTheDefinitionAndItsInverseAtEveryLength) {
  const auto& kernel = GetParam();
  if (!kernel.supported()) GTEST_SKIP() << "this CPU has no " << kernel.name;
  std::vector<size_t> lengths = {4096, 65536, 65537, 131071, 131072};
  for (size_t n = 0; n <= 300; ++n) lengths.push_back(n);
  for (const size_t n : lengths) {
    const ByteVector in = testing::random_bytes(n, n + 1);
    ByteVector expected;
    for (size_t g = 0; g < 4; ++g) {
      for (size_t i = g; i < n; i += 4) expected.push_back(in[i]);
    }
    // One byte more on each side shows writes outside.
    ByteVector out(n + 2, std::byte{0xA5});
    kernel.group(in, MutableByteSpan(out).subspan(1, n));
    ASSERT_TRUE(std::equal(expected.begin(), expected.end(), out.begin() + 1)) << kernel.name << " " << n;
    ByteVector back(n + 2, std::byte{0xA5});
    kernel.regroup(expected, MutableByteSpan(back).subspan(1, n));
    ASSERT_TRUE(std::equal(in.begin(), in.end(), back.begin() + 1)) << kernel.name << " " << n;
    for (const auto* guarded : {&out, &back}) {
      ASSERT_EQ(guarded->front(), std::byte{0xA5});
      ASSERT_EQ(guarded->back(), std::byte{0xA5});
    }
  }
}

INSTANTIATE_TEST_SUITE_P(ByteGrouping, EachByteGroupingKernel,
                         ::testing::ValuesIn(byte_grouping_kernels().begin(), byte_grouping_kernels().end()),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace xet::codec
