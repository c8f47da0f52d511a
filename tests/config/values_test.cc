#include "config/values.h"

#include <gtest/gtest.h>

namespace xet::config {
namespace {

using namespace std::chrono_literals;

TEST(SettingValues, CountsAreDigitsAlone) {
  EXPECT_EQ(parse_count("0"), 0U);
  EXPECT_EQ(parse_count("+17"), 17U);
  EXPECT_EQ(parse_count("18446744073709551615"), UINT64_MAX);
  for (const char* bad : {"", "+", "-1", " 1", "1 ", "1k", "1.0", "18446744073709551616", "0x10"})
    EXPECT_EQ(parse_count(bad), std::nullopt) << bad;
}

TEST(SettingValues, BooleansAreTenWords) {
  for (const char* yes : {"1", "true", "yes", "y", "on", " TRUE ", "On"})
    EXPECT_EQ(parse_bool(yes), true) << yes;
  for (const char* no : {"0", "false", "no", "n", "off", "OFF", "\tno\n"})
    EXPECT_EQ(parse_bool(no), false) << no;
  for (const char* bad : {"", "2", "tru", "yes please"}) EXPECT_EQ(parse_bool(bad), std::nullopt) << bad;
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
    EXPECT_EQ(parse_bytes(bad), std::nullopt) << bad;
}

TEST(SettingValues, DurationsAreNumbersWithUnits) {
  EXPECT_EQ(parse_duration("60s"), 60s);
  EXPECT_EQ(parse_duration("1m30s"), 90s);
  EXPECT_EQ(parse_duration("2m 30s"), 150s);
  EXPECT_EQ(parse_duration("1.5s"), 1500ms);
  EXPECT_EQ(parse_duration("250ms"), 250ms);
  EXPECT_EQ(parse_duration("0"), 0ms);
  EXPECT_EQ(parse_duration("1 h"), 1h);
  EXPECT_EQ(parse_duration("1M"), std::chrono::milliseconds(2'630'016'000));
  EXPECT_EQ(parse_duration("3 days"), 72h);
  EXPECT_EQ(parse_duration("1us"), 1ms);  // a wait that was asked for stays one
  for (const char* bad : {"", "10", "s", "1x", "1s 2", "-1s", "1S"})
    EXPECT_EQ(parse_duration(bad), std::nullopt) << bad;
}

}  // namespace
}  // namespace xet::config
