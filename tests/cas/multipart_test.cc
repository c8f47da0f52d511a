#include "cas/multipart.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "support/matchers.h"

namespace xet::cas {
namespace {

using testing::FailsWith;
using testing::IsOk;

struct Part {
  ContentRange range;
  std::string data;
};

/// Reads `body` in pieces of `step` bytes.
Result<std::vector<Part>> read_parts(std::string_view boundary, std::string_view body,
                                     size_t step = SIZE_MAX) {
  MultipartParser parser(boundary);
  std::vector<Part> parts;
  for (size_t at = 0; at < body.size(); at += std::min(step, body.size() - at)) {
    auto in = as_byte_span(body.substr(at, step));
    while (!in.empty()) {
      XET_TRY(const auto event, parser.next(in));
      if (event.kind == MultipartParser::Kind::kPart) parts.push_back({event.part, {}});
      if (event.kind == MultipartParser::Kind::kData) parts.back().data += as_chars(event.data);
    }
  }
  if (!parser.at_end()) return fail(ErrorCode::kUnavailable, "not at its end");
  return parts;
}

const std::string kTwoParts =
    "--b0\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes 2-4/100\r\n\r\nabc"
    "\r\n--b0\r\ncontent-range:bytes 10-11/*\r\n\r\n--"
    "\r\n--b0--\r\nwhatever";

TEST(Multipart, GivesTheSamePartsForAnySplit) {
  for (size_t step = 1; step <= kTwoParts.size(); ++step) {
    const auto parts = read_parts("b0", kTwoParts, step);
    ASSERT_THAT(parts, IsOk()) << step;
    ASSERT_EQ(parts->size(), 2u);
    EXPECT_EQ((*parts)[0].range.bytes, (ByteRange{2, 5}));
    EXPECT_EQ((*parts)[0].range.total, 100u);
    EXPECT_EQ((*parts)[0].data, "abc");
    EXPECT_EQ((*parts)[1].range.bytes, (ByteRange{10, 12}));
    EXPECT_EQ((*parts)[1].range.total, std::nullopt);
    EXPECT_EQ((*parts)[1].data, "--");
  }
}

TEST(Multipart, MayBeginWithALineBreak) {
  EXPECT_THAT(read_parts("b0", "\r\n" + kTwoParts), IsOk());
}

TEST(Multipart, DataMayLookLikeADelimiter) {
  const auto parts = read_parts("b", "--b\r\nContent-Range: bytes 0-7/9\r\n\r\n\r\n--b--\r\r\n--b--");
  ASSERT_THAT(parts, IsOk());
  EXPECT_EQ(parts->at(0).data, "\r\n--b--\r");
}

TEST(Multipart, IsNotAtItsEndBeforeTheClosingDelimiter) {
  for (size_t n = 0; n < kTwoParts.find("b0--") + 4; ++n)
    EXPECT_THAT(read_parts("b0", kTwoParts.substr(0, n)), FailsWith(ErrorCode::kUnavailable)) << n;
}

TEST(Multipart, RefusesWhatIsNone) {
  const std::string range = "Content-Range: bytes 0-0/9\r\n";
  for (const std::string& body : {
           fmt::format("x--b\r\n{}\r\nA\r\n--b--", range),                      // preamble
           fmt::format("--b\r\n{}\r\nAB\r\n--b--", range),                      // longer than it says
           fmt::format("--b\r\n{}\r\n\r\n--b--", range),                        // shorter
           fmt::format("--b\r\n{0}{0}\r\nA\r\n--b--", range),                   // two ranges
           std::string("--b\r\nContent-Type: x\r\n\r\nA\r\n--b--"),             // none
           std::string("--b\r\n\r\nA\r\n--b--"),                                // no header at all
           std::string("--b\r\nContent-Range: bytes 5-4/9\r\n\r\nA\r\n--b--"),  // backwards
           std::string("--b\r\nContent-Range: bytes */9\r\n\r\nA\r\n--b--"),
           fmt::format("--b\r\nContent-Range\r\n{}\r\nA\r\n--b--", range),  // no colon
           fmt::format("--b \r\n{}\r\nA\r\n--b--", range),                  // padding
           fmt::format("--c\r\n{}\r\nA\r\n--b--", range),                   // another boundary
           fmt::format("\r\n\r\n--b\r\n{}\r\nA\r\n--b--", range),
           "--b\r\nX: " + std::string(MultipartParser::kMaxPartHead, 'y'),  // a head without end
       }) {
    EXPECT_THAT(read_parts("b", body), FailsWith(ErrorCode::kCorruption)) << body.substr(0, 100);
    EXPECT_THAT(read_parts("b", body, 1), FailsWith(ErrorCode::kCorruption)) << body.substr(0, 100);
  }
}

TEST(Multipart, FindsTheBoundary) {
  EXPECT_EQ(multipart_boundary("multipart/byteranges; boundary=abc"), "abc");
  EXPECT_EQ(multipart_boundary("Multipart/ByteRanges;charset=x; Boundary=\"a b\"; q=1"), "a b");
  for (const auto* type : {"multipart/byteranges", "multipart/byteranges; boundary=",
                           "multipart/mixed; boundary=a", "application/octet-stream", "",
                           "multipart/byteranges; boundary=\"a;b\"", "multipart/byteranges; boundary=\"a \"",
                           "xmultipart/byteranges; boundary=a", "multipart/byteranges; boundary=a\r\nb"}) {
    EXPECT_EQ(multipart_boundary(type), std::nullopt) << type;
  }
  EXPECT_TRUE(multipart_boundary("multipart/byteranges; boundary=" + std::string(70, 'a')));
  EXPECT_FALSE(multipart_boundary("multipart/byteranges; boundary=" + std::string(71, 'a')));
}

TEST(ContentRange, IsStrict) {
  EXPECT_EQ(parse_content_range("bytes 0-99/100")->bytes, (ByteRange{0, 100}));
  EXPECT_EQ(parse_content_range("bytes 5-5/*")->bytes, (ByteRange{5, 6}));
  for (const auto* text :
       {"", "bytes", "bytes 0-99", "bytes 1-0/5", "bytes 0-99/99", "bytes */100", "0-1/2", "bytes -1/2",
        "bytes 0-/2", "bytes 0-1/", "bytes +0-1/2", "bytes 0-1/2 ", "bytes  0-1/2",
        "bytes 0-18446744073709551615/*", "bytes 0-18446744073709551616/*", "bytes 0x0-1/2", "bytes 0/1-2"}) {
    EXPECT_FALSE(parse_content_range(text)) << text;
  }
}

TEST(RangeHeader, HasAnInclusiveEnd) {
  EXPECT_EQ(range_value({0, 100}), "bytes=0-99");
  EXPECT_EQ(range_value({7, 8}), "bytes=7-7");
}

}  // namespace
}  // namespace xet::cas
