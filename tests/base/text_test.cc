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

TEST(Text, BytesAreHexAndBack) {
  const ByteVector bytes{std::byte{0x00}, std::byte{0x9f}, std::byte{0xa0}, std::byte{0xff}};
  EXPECT_EQ(to_hex(bytes), "009fa0ff");
  EXPECT_EQ(to_hex({}), "");
  ByteVector out(4);
  EXPECT_TRUE(from_hex("009fA0Ff", out));
  EXPECT_EQ(out, bytes);
  for (const char* bad : {"", "009fa0f", "009fa0ff0", "009fa0ff00", "009fa0fg", "009fa0 f", "0x9fa0ff"})
    EXPECT_FALSE(from_hex(bad, out)) << bad;
}

TEST(Text, IsPercentEncodedAndBack) {
  EXPECT_EQ(percent_encode("a/b c%\xff"), "a/b%20c%25%FF");
  EXPECT_EQ(percent_decode("a/b%20c%25%fF"), "a/b c%\xff");
  for (const char* bad : {"%", "%4", "%zz", "a%2"}) EXPECT_EQ(percent_decode(bad), std::nullopt) << bad;
}

}  // namespace
}  // namespace xet
