#include "net/url.h"

#include <gtest/gtest.h>

namespace xet::net {
namespace {

TEST(Url, IsShownWithoutUserQueryAndFragment) {
  EXPECT_EQ(without_secrets("https://host:8080/a/b?sig=secret&x=1"), "https://host:8080/a/b");
  EXPECT_EQ(without_secrets("https://user:secret@host/a#secret"), "https://host/a");
  EXPECT_EQ(without_secrets("https://user:s@cret@host"), "https://host");
  EXPECT_EQ(without_secrets("http://host?secret"), "http://host");
  EXPECT_EQ(without_secrets("/path?secret"), "/path");
  EXPECT_EQ(without_secrets("nonsense?a=//b"), "nonsense");
  EXPECT_EQ(without_secrets(""), "");
}

TEST(Url, HostIsWhatStandsBetweenSlashesAndPath) {
  EXPECT_EQ(host_of("https://host:8080/a"), "host:8080");
  EXPECT_EQ(host_of("http://user:pw@host?q"), "host");
  EXPECT_EQ(host_of("http://[::1]:80/"), "[::1]:80");
  EXPECT_EQ(host_of("http://host"), "host");
  EXPECT_EQ(host_of("http:///a"), "");
  EXPECT_EQ(host_of("/a//b"), "");
  EXPECT_EQ(host_of(""), "");
}

TEST(Url, SegmentsAreEncodedButForUnreservedCharacters) {
  EXPECT_EQ(percent_encode_segment("../a?b#c"), "..%2Fa%3Fb%23c");
  EXPECT_EQ(percent_encode_segment("AZaz09-_.~"), "AZaz09-_.~");
  EXPECT_EQ(percent_encode_segment(std::string_view("\0 \xff%", 4)), "%00%20%FF%25");
  EXPECT_EQ(percent_encode_segment(""), "");
}

}  // namespace
}  // namespace xet::net
