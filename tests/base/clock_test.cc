#include "base/clock.h"

#include <gtest/gtest.h>

namespace xet {
namespace {

using std::chrono::milliseconds;
using std::chrono::system_clock;

TEST(UnixTime, IsRoundedDown) {
  const system_clock::time_point epoch;
  EXPECT_EQ(unix_seconds(epoch), 0U);
  EXPECT_EQ(unix_seconds(epoch + milliseconds(1'999)), 1U);
  EXPECT_EQ(unix_milliseconds(epoch + milliseconds(1'999)), 1'999);
  EXPECT_EQ(unix_milliseconds(epoch + std::chrono::nanoseconds(1'999'999)), 1);
}

TEST(UnixTime, BeforeItsBeginHasNoSecondsAndNegativeMilliseconds) {
  const auto before = system_clock::time_point() - milliseconds(1'500);
  EXPECT_EQ(unix_seconds(before), 0U);
  EXPECT_EQ(unix_milliseconds(before), -1'500);
}

}  // namespace
}  // namespace xet
