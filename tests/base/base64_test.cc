#include "base/base64.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "support/generators.h"

namespace xet {
namespace {

TEST(Base64Url, HasOneTextForEachByteString) {
  EXPECT_EQ(to_base64url({}), "");
  EXPECT_EQ(to_base64url(as_byte_span("f")), "Zg");
  EXPECT_EQ(to_base64url(as_byte_span("fo")), "Zm8");
  EXPECT_EQ(to_base64url(as_byte_span("foo")), "Zm9v");
  EXPECT_EQ(to_base64url(as_byte_span("foob")), "Zm9vYg");
  EXPECT_EQ(to_base64url(ByteVector{std::byte{0xfb}, std::byte{0xff}}), "-_8");
  for (size_t n = 0; n < 70; ++n) {
    const auto bytes = testing::random_bytes(n, n);
    EXPECT_EQ(from_base64url(to_base64url(bytes)), bytes);
  }
  for (const char* bad :
       {"Z", "Zh", "Zm9", "Zg==", "Zg=", "Zm8=", "Z g", "Zg\n", "+_8", "-/8", "Zm9vY", "\xffg"}) {
    EXPECT_FALSE(from_base64url(bad).has_value()) << bad;
  }
}

TEST(Base64, IsPaddedAndReadWithAndWithoutPadding) {
  EXPECT_EQ(to_base64({}), "");
  EXPECT_EQ(to_base64(as_byte_span("f")), "Zg==");
  EXPECT_EQ(to_base64(as_byte_span("fo")), "Zm8=");
  EXPECT_EQ(to_base64(as_byte_span("foo")), "Zm9v");
  EXPECT_EQ(to_base64(ByteVector{std::byte{0xfb}, std::byte{0xff}}), "+/8=");
  for (size_t n = 0; n < 70; ++n) {
    const auto bytes = testing::random_bytes(n, n);
    EXPECT_EQ(from_base64(to_base64(bytes)), bytes);
  }
  EXPECT_EQ(from_base64("Zg"), from_base64("Zg=="));
  for (const char* bad : {"Zg=", "-/8=", "_-8=", "Z===", "====", "Zm9v====", "Z g="})
    EXPECT_FALSE(from_base64(bad).has_value()) << bad;
}

}  // namespace
}  // namespace xet
