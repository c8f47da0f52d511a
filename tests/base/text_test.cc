#include "base/text.h"

#include <gtest/gtest.h>

namespace xet {
namespace {

TEST(Text, IsToldFromBytes) {
  EXPECT_TRUE(is_utf8("plain, ü, €, \U0001f600"));
  for (const char* bad :
       {"\xff", "\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80", "\xe2\x82"})
    EXPECT_FALSE(is_utf8(bad));
}

TEST(Text, IsPercentEncodedAndBack) {
  EXPECT_EQ(percent_encode("a/b c%\xff"), "a/b%20c%25%FF");
  EXPECT_EQ(percent_decode("a/b%20c%25%fF"), "a/b c%\xff");
  for (const char* bad : {"%", "%4", "%zz", "a%2"}) EXPECT_EQ(percent_decode(bad), std::nullopt) << bad;
}

}  // namespace
}  // namespace xet
