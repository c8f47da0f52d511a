#include "base/checked.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace xet {
namespace {

constexpr auto kMax64 = UINT64_MAX;

TEST(CheckedAdd, GivesTheSumOrNothing) {
  EXPECT_EQ(checked_add<uint64_t>(2, 3), 5U);
  EXPECT_EQ(checked_add<uint64_t>(kMax64, 0), kMax64);
  EXPECT_EQ(checked_add<uint64_t>(kMax64 - 1, 1), kMax64);
  EXPECT_EQ(checked_add<uint64_t>(kMax64, 1), std::nullopt);
  EXPECT_EQ(checked_add<uint64_t>(1, kMax64), std::nullopt);
  EXPECT_EQ(checked_add<uint64_t>(kMax64, kMax64), std::nullopt);
  EXPECT_EQ(checked_add<uint32_t>(0xffffffff, 1), std::nullopt);
}

TEST(CheckedMul, GivesTheProductOrNothing) {
  EXPECT_EQ(checked_mul<uint64_t>(0, kMax64), 0U);
  EXPECT_EQ(checked_mul<uint64_t>(kMax64, 0), 0U);
  EXPECT_EQ(checked_mul<uint64_t>(kMax64, 1), kMax64);
  EXPECT_EQ(checked_mul<uint64_t>(kMax64 / 2, 2), kMax64 - 1);
  EXPECT_EQ(checked_mul<uint64_t>(kMax64 / 2 + 1, 2), std::nullopt);
  EXPECT_EQ(checked_mul<uint64_t>(1ULL << 32, 1ULL << 32), std::nullopt);
  EXPECT_EQ(checked_mul<uint64_t>(1ULL << 32, (1ULL << 32) - 1), ((1ULL << 32) - 1) << 32);
  EXPECT_EQ(checked_mul<uint32_t>(0x10000, 0x10000), std::nullopt);
}

TEST(Checked, AgreesWithWiderArithmeticForEveryPairOfBytes) {
  // Narrow types are promoted to int in between: the check must not be fooled by that.
  for (unsigned a = 0; a < 256; ++a) {
    for (unsigned b = 0; b < 256; ++b) {
      const auto x = static_cast<uint8_t>(a);
      const auto y = static_cast<uint8_t>(b);
      EXPECT_EQ(checked_add(x, y).has_value(), a + b < 256);
      EXPECT_EQ(checked_mul(x, y).has_value(), a * b < 256);
      EXPECT_EQ(checked_add(x, y).value_or(0), a + b < 256 ? a + b : 0);
      EXPECT_EQ(checked_mul(x, y).value_or(0), a * b < 256 ? a * b : 0);
    }
  }
}

}  // namespace
}  // namespace xet
