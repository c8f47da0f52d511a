#include "base/random.h"

#include <gtest/gtest.h>

#include <set>

namespace xet {
namespace {

TEST(Random, FractionsAreSpreadOverTheirRange) {
  int n_below_half = 0;
  for (int i = 0; i < 1000; ++i) {
    const double x = random_fraction();
    ASSERT_TRUE(x >= 0 && x < 1) << x;
    n_below_half += x < 0.5 ? 1 : 0;
  }
  EXPECT_NEAR(n_below_half, 500, 150);  // nine standard deviations
}

TEST(Random, NamesHaveTwoHexDigitsForEachByteAndDiffer) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) seen.insert(random_hex(8));
  EXPECT_EQ(seen.size(), 100U);
  for (const auto& name : seen) {
    EXPECT_EQ(name.size(), 16U);
    EXPECT_EQ(name.find_first_not_of("0123456789abcdef"), std::string::npos);
  }
  EXPECT_EQ(random_hex(0), "");
}

}  // namespace
}  // namespace xet
