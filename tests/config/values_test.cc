#include "config/values.h"

#include <gtest/gtest.h>

#include "support/matchers.h"

namespace xet::config {
namespace {

using namespace std::chrono_literals;

TEST(SettingValues, CountsAreDigitsAlone) {
  EXPECT_EQ(parse_count("0"), 0U);
  EXPECT_EQ(parse_count("+17"), 17U);
  EXPECT_EQ(parse_count("18446744073709551615"), UINT64_MAX);
  for (const char* bad : {"", "+", "-1", " 1", "1 ", "1k", "1.0", "18446744073709551616", "0x10"})
    EXPECT_THAT(parse_count(bad), testing::FailsWith(ErrorCode::kInvalidArgument)) << bad;
}

TEST(SettingValues, NumbersAreFinite) {
  EXPECT_EQ(parse_number("+1.5e3"), 1500.0);
  EXPECT_EQ(parse_number("-.5"), -0.5);
  for (const char* bad : {"", " 1", "inf", "-infinity", "nan", "1e400", "1_0", "0x1", "+-1"})
    EXPECT_THAT(parse_number(bad), testing::FailsWith(ErrorCode::kInvalidArgument)) << bad;
}

TEST(SettingValues, BooleansAreTenWords) {
  for (const char* yes : {"1", "true", "yes", "y", "on", " TRUE ", "On"})
    EXPECT_EQ(parse_bool(yes), true) << yes;
  for (const char* no : {"0", "false", "no", "n", "off", "OFF", "\tno\n"})
    EXPECT_EQ(parse_bool(no), false) << no;
  for (const char* bad : {"", "2", "tru", "yes please"})
    EXPECT_THAT(parse_bool(bad), testing::FailsWith(ErrorCode::kInvalidArgument)) << bad;
}

TEST(SettingValues, BytesHaveDecimalAndBinaryUnits) {
  EXPECT_EQ(parse_bytes("64mb"), 64'000'000U);
  EXPECT_EQ(parse_bytes("64MiB"), 67'108'864U);
  EXPECT_EQ(parse_bytes(" 1.5 kb "), 1'500U);
  EXPECT_EQ(parse_bytes("10"), 10U);
  EXPECT_EQ(parse_bytes("10b"), 10U);
  EXPECT_EQ(parse_bytes("1e3kib"), 1'024'000U);
  EXPECT_EQ(parse_bytes("-1"), 0U);
  EXPECT_EQ(parse_bytes("1e30"), UINT64_MAX);
  EXPECT_EQ(parse_bytes("2pb"), 2'000'000'000'000'000U);
  for (const char* bad : {"", "64m", "mb", "1 kb kb", "inf", "nan", "1..2"})
    EXPECT_THAT(parse_bytes(bad), testing::FailsWith(ErrorCode::kInvalidArgument)) << bad;
}

TEST(SettingValues, DurationsAreNumbersWithUnits) {
  EXPECT_EQ(parse_duration("60s"), 60s);
  EXPECT_EQ(parse_duration("1m30s"), 90s);
  EXPECT_EQ(parse_duration("2m 30s"), 150s);
  EXPECT_EQ(parse_duration("1.5s"), 1500ms);
  EXPECT_EQ(parse_duration("250ms"), 250ms);
  EXPECT_EQ(parse_duration("0"), 0ns);
  EXPECT_EQ(parse_duration("1 h"), 1h);
  EXPECT_EQ(parse_duration("1M"), std::chrono::milliseconds(2'630'016'000));
  EXPECT_EQ(parse_duration("3 days"), 72h);
  EXPECT_EQ(parse_duration("1.5us"), 1500ns);
  EXPECT_EQ(parse_duration("1.00000000005m"), 60s + 3ns);
  EXPECT_EQ(parse_duration("1000y"), std::chrono::nanoseconds::max());
  for (const char* bad : {"", "10", "s", "1x", "1s 2", "-1s", "+1s", "1S", "0.1ns", "99999999999999999999s",
                          "1e3s", "584942417356y"})
    EXPECT_THAT(parse_duration(bad), testing::FailsWith(ErrorCode::kInvalidArgument)) << bad;
}

}  // namespace
}  // namespace xet::config
