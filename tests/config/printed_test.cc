#include "config/printed.h"

#include <gtest/gtest.h>

namespace xet::config {
namespace {

using namespace std::chrono_literals;

TEST(PrintedValues, BytesAreInDecimalUnits) {
  EXPECT_EQ(debug_bytes(0), "0B");
  EXPECT_EQ(debug_bytes(999), "999B");
  EXPECT_EQ(debug_bytes(1'000), "1kB");
  EXPECT_EQ(debug_bytes(1'500), "1.500kB");
  EXPECT_EQ(debug_bytes(999'999'999), "1000.000MB");
  EXPECT_EQ(debug_bytes(1'000'500), "1.000MB");
  EXPECT_EQ(debug_bytes(1'000'501), "1.001MB");
  EXPECT_EQ(debug_bytes(1'234'567'890), "1.235GB");
  EXPECT_EQ(debug_bytes(1'000'000'000'000'000'000), "1000PB");
  EXPECT_EQ(debug_bytes(UINT64_MAX), "18446.744PB");
}

TEST(PrintedValues, DurationsAreExact) {
  EXPECT_EQ(debug_duration(0ns), "0ns");
  EXPECT_EQ(debug_duration(999ns), "999ns");
  EXPECT_EQ(debug_duration(1001ns), "1.001µs");
  EXPECT_EQ(debug_duration(200ms), "200ms");
  EXPECT_EQ(debug_duration(999'999us), "999.999ms");
  EXPECT_EQ(debug_duration(1'000'000'001ns), "1.000000001s");
  EXPECT_EQ(debug_duration(24h), "86400s");
}

TEST(PrintedValues, NumbersHaveTheFewestDigits) {
  EXPECT_EQ(debug_number(8.0), "8.0");
  EXPECT_EQ(debug_number(-0.0), "-0.0");
  EXPECT_EQ(debug_number(0.95), "0.95");
  EXPECT_EQ(debug_number(1e15), "1000000000000000.0");
  EXPECT_EQ(debug_number(9.999e15), "9999000000000000.0");
  EXPECT_EQ(debug_number(1e16), "1e16");
  EXPECT_EQ(debug_number(9223372036854775808.0), "9.223372036854776e18");
  EXPECT_EQ(debug_number(1e-4), "0.0001");
  EXPECT_EQ(debug_number(1e-5), "1e-5");
  EXPECT_EQ(debug_number(-1.5e-7), "-1.5e-7");
  EXPECT_EQ(debug_number(5e-324), "5e-324");
  EXPECT_EQ(debug_number(2147483648.0F), "2147483600.0");
  EXPECT_EQ(debug_number(1.0F / 3), "0.33333334");
}

TEST(PrintedValues, TextsHaveEscapes) {
  EXPECT_EQ(debug_text("default"), "\"default\"");
  EXPECT_EQ(debug_text("q\"\\\n\t\r'"), "\"q\\\"\\\\\\n\\t\\r'\"");
  EXPECT_EQ(debug_text(std::string_view("\0\x01\x7f", 3)), "\"\\0\\u{1}\\u{7f}\"");
  EXPECT_EQ(debug_text("ü\u00a0\u0301\u200b\ufeff\U0001f600"),
            "\"ü\\u{a0}\\u{301}\\u{200b}\\u{feff}\U0001f600\"");
  EXPECT_EQ(debug_text("a\xff"
                       "b"),
            "\"a\ufffd"
            "b\"");
}

}  // namespace
}  // namespace xet::config
