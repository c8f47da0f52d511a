// The pure readers of what comes from the network: ranges, targets, addresses, JSON bodies, request headers.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "server/http/address.h"
#include "server/http/byte_ranges.h"
#include "server/http/json_in.h"
#include "server/http/request_parser.h"
#include "server/http/route.h"
#include "server/http/target.h"
#include "support/matchers.h"

namespace xet::http {
namespace {

using testing::FailsWith;
using testing::IsOk;

TEST(RangeHeader, ReadsAllForms) {
  struct Case {
    std::string_view header;
    std::vector<RangeSpec> specs;
  };
  const Case cases[] = {
      {"bytes=0-9", {{0, 9}}},
      {"bytes=5-", {{5, std::nullopt}}},
      {"bytes=-7", {{std::nullopt, 7}}},
      {"BYTES=1-1", {{1, 1}}},
      {" bytes=1-2 , 4-5,\t8-", {{1, 2}, {4, 5}, {8, std::nullopt}}},
      {"bytes=0-18446744073709551615", {{0, UINT64_MAX}}},
  };
  for (const auto& each : cases) {
    const auto got = parse_range_header(each.header, 3);
    ASSERT_THAT(got, IsOk()) << each.header;
    EXPECT_EQ(*got, each.specs) << each.header;
  }
}

TEST(RangeHeader, RefusesWhatIsNone) {
  for (const std::string_view header : {"",
                                        "bytes",
                                        "bytes=",
                                        "bytes=-",
                                        "bytes=a-b",
                                        "bytes=1",
                                        "bytes=2-1",
                                        "bytes=1-2-3",
                                        "bytes=-0",
                                        "items=0-1",
                                        "bytes 0-1",
                                        "bytes=0-1,",
                                        "bytes=,0-1",
                                        "bytes=+1-2",
                                        "bytes=0x1-2",
                                        "bytes=1 -2",
                                        "bytes=--1",
                                        "bytes=18446744073709551616-",
                                        "bytes=0-18446744073709551616",
                                        "bytes=0-1;2-3"}) {
    EXPECT_THAT(parse_range_header(header, 10), FailsWith(ErrorCode::kInvalidArgument)) << header;
  }
}

TEST(RangeHeader, RefusesMoreThanAllowed) {
  EXPECT_THAT(parse_range_header("bytes=0-1,2-3", 2), IsOk());
  EXPECT_THAT(parse_range_header("bytes=0-1,2-3,4-5", 2), FailsWith(ErrorCode::kInvalidArgument));
}

TEST(RangeHeader, ResolvesAgainstTheSize) {
  struct Case {
    RangeSpec spec;
    uint64_t size;
    std::optional<ByteRange> range;
  };
  const Case cases[] = {
      {{0, 9}, 10, ByteRange{0, 10}},
      {{0, 9}, 5, ByteRange{0, 5}},
      {{9, 9}, 10, ByteRange{9, 10}},
      {{10, 12}, 10, std::nullopt},
      {{3, std::nullopt}, 10, ByteRange{3, 10}},
      {{std::nullopt, 3}, 10, ByteRange{7, 10}},
      {{std::nullopt, 30}, 10, ByteRange{0, 10}},
      {{std::nullopt, 3}, 0, std::nullopt},
      {{0, std::nullopt}, 0, std::nullopt},
      {{0, UINT64_MAX}, 10, ByteRange{0, 10}},
      {{UINT64_MAX, UINT64_MAX}, UINT64_MAX, std::nullopt},
      {{0, UINT64_MAX}, UINT64_MAX, ByteRange{0, UINT64_MAX}},
  };
  for (const auto& each : cases) EXPECT_EQ(each.spec.resolve(each.size), each.range);
}

TEST(RequestTarget, IsCutIntoPathAndQuery) {
  struct Case {
    std::string_view target, path, query;
  };
  for (const auto& each :
       {Case{"/a/b", "/a/b", ""}, Case{"/a?b=c", "/a", "b=c"}, Case{"/a?", "/a", ""},
        Case{"/a?b?c", "/a", "b?c"}, Case{"http://host:1/a?b", "/a", "b"}, Case{"https://h/", "/", ""}}) {
    const auto got = Target::parse(each.target);
    ASSERT_THAT(got, IsOk()) << each.target;
    EXPECT_EQ(got->path, each.path);
    EXPECT_EQ(got->query, each.query);
  }
}

TEST(RequestTarget, RefusesOtherForms) {
  for (const std::string_view target :
       {std::string_view(""), std::string_view("*"), std::string_view("host:80"),
        std::string_view("ftp://host/a"), std::string_view("http://host"), std::string_view("/a#b"),
        std::string_view("/a b"), std::string_view("/a\0b", 4), std::string_view("/\xc3\xa4")}) {
    EXPECT_THAT(Target::parse(target), FailsWith(ErrorCode::kInvalidArgument)) << target;
  }
}

TEST(Path, IsSplitAsItCame) {
  EXPECT_EQ(*split_path("/a%20b/c//d/"), (std::vector<std::string_view>{"a%20b", "c", "", "d", ""}));
  for (const std::string_view path : {"", "a", "a/b"}) {
    EXPECT_THAT(split_path(path), FailsWith(ErrorCode::kInvalidArgument)) << path;
  }
}

TEST(Path, IsDecodedSegmentBySegment) {
  EXPECT_EQ(decode_segment("a%20b"), "a b");
  EXPECT_EQ(decode_segment("%7e%2B"), "~+");
}

TEST(Path, RefusesTricks) {
  for (const std::string_view segment :
       {"", ".", "..", "%2e%2e", ".%2E", "a%2fb", "a%2Fb", "%00", "%0a", "%7f", "%c3%a4", "%", "%4", "%zz"}) {
    EXPECT_EQ(decode_segment(segment), std::nullopt) << segment;
  }
}

TEST(Path, OfTheHubMayHaveEscapedSlashesAndOtherLanguages) {
  const auto match = find_route("GET", "/api/models/a/b/tree/feat%2Fx/fold%2Fsub/%C3%A4", false);
  ASSERT_EQ(match.kind, RouteMatch::Kind::kFound);
  EXPECT_EQ(match.values.name_space, "a");
  EXPECT_EQ(match.values.repository, "b");
  EXPECT_EQ(match.values.revision, "feat/x");
  EXPECT_EQ(match.values.path, "fold/sub/\u00e4");
  EXPECT_EQ(find_route("GET", "/datasets/a/b/resolve/main/x", false).values.type,
            store::RepositoryType::kDataset);
  EXPECT_EQ(find_route("POST", "/a/b.git/info/lfs/objects/batch", false).values.repository, "b");
  EXPECT_EQ(find_route("POST", "/a/b/info/lfs/objects/batch", false).kind, RouteMatch::Kind::kUnknown);
  EXPECT_EQ(find_route("GET", "/api/kernels/a/b", false).kind, RouteMatch::Kind::kUnknown);
  for (const char* path : {"/api/models/a/b/tree/main/%00", "/api/models/a/b/tree/main/a//b",
                           "/api/models/a/b/tree/%0a", "/a/b/resolve/main/x%"}) {
    EXPECT_EQ(find_route("GET", path, false).kind, RouteMatch::Kind::kBadValue) << path;
  }
}

TEST(Query, GivesValuesInOrder) {
  EXPECT_EQ(*query_values("file_id=a&x=1&file_id=b%20c&&file_id=&file_id", "file_id"),
            (std::vector<std::string>{"a", "b c", "", ""}));
  EXPECT_TRUE(query_values("", "file_id")->empty());
  EXPECT_THAT(query_values("file_id=%zz", "file_id"), FailsWith(ErrorCode::kInvalidArgument));
}

TEST(Form, MayHaveSpacesAndOtherLanguages) {
  EXPECT_EQ(*form_values("paths=a+b&paths=%C3%A4%2Fc&x=1", "paths"),
            (std::vector<std::string>{"a b", "\u00e4/c"}));
  EXPECT_THAT(form_values("paths=%00", "paths"), FailsWith(ErrorCode::kInvalidArgument));
}

TEST(ListenAddress, KnowsWhatIsLoopback) {
  struct Case {
    std::string_view text, host;
    uint16_t port;
    bool is_loopback;
  };
  for (const auto& each :
       {Case{"127.0.0.1:8080", "127.0.0.1", 8080, true}, Case{"127.1.2.3:0", "127.1.2.3", 0, true},
        Case{"localhost:80", "127.0.0.1", 80, true}, Case{"[::1]:80", "::1", 80, true},
        Case{"[::]:80", "::", 80, false}, Case{"0.0.0.0:80", "0.0.0.0", 80, false},
        Case{":80", "", 80, false}, Case{"10.0.0.1:65535", "10.0.0.1", 65535, false},
        Case{"[::ffff:10.0.0.1]:1", "::ffff:10.0.0.1", 1, false}}) {
    const auto got = ListenAddress::parse(each.text);
    ASSERT_THAT(got, IsOk()) << each.text;
    EXPECT_EQ(got->host, each.host);
    EXPECT_EQ(got->port, each.port);
    EXPECT_EQ(got->is_loopback, each.is_loopback) << each.text;
  }
}

TEST(ListenAddress, RefusesNamesAndNonsense) {
  for (const std::string_view text :
       {"", "8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "example.org:80", "::1:80",
        "[::1]", "[::1]80", "[1.2.3.4]:80", "[::1:80", "1.2.3.4:8080x", " 1.2.3.4:80"}) {
    EXPECT_THAT(ListenAddress::parse(text), FailsWith(ErrorCode::kInvalidArgument)) << text;
  }
}

TEST(PublicUrl, LosesItsLastSlash) {
  EXPECT_EQ(*parse_public_url("https://cas.example.org"), "https://cas.example.org");
  EXPECT_EQ(*parse_public_url("http://h:8080/xet/"), "http://h:8080/xet");
  EXPECT_EQ(*parse_public_url("https://[::1]:1/"), "https://[::1]:1");
}

TEST(PublicUrl, RefusesWhatCannotBePrintedIntoAnAnswer) {
  for (const std::string_view text :
       {"", "cas.example.org", "ftp://h", "https://", "https:///x", "https://u:p@h", "https://h?x",
        "https://h/a?x", "https://h/a#x", "https://h/a b", "https://h/\"", "https://h:99999", "https://h:/",
        "https://h/%41"}) {
    EXPECT_THAT(parse_public_url(text), FailsWith(ErrorCode::kInvalidArgument)) << text;
  }
}

TEST(HostHeader, IsAHostWithPerhapsAPort) {
  for (const std::string_view host : {"a", "a.b-c_d:80", "127.0.0.1:1", "[::1]", "[fe80::1]:80"}) {
    EXPECT_TRUE(is_valid_host(host)) << host;
  }
  for (const std::string_view host :
       {"", ":80", "a:b", "a:", "a b", "a/b", "a\"b", "[::1", "[x]", "a@b", "[::1]x"}) {
    EXPECT_FALSE(is_valid_host(host)) << host;
  }
  EXPECT_FALSE(is_valid_host(std::string(300, 'a')));
  using std::string_view_literals::operator""sv;
  EXPECT_FALSE(is_valid_host("[::\0001]:80"sv));
  EXPECT_THAT(ListenAddress::parse("127.0.0.1\0:80"sv), FailsWith(ErrorCode::kInvalidArgument));
}

TEST(GrantRequest, ReadsWhatClientsSend) {
  const auto got = GrantRequest::parse(as_byte_span(
      R"({"length":20,"checksum":{"algo":"crc64nvme","value":"18446744073709551615"},"more":[]})"));
  ASSERT_THAT(got, IsOk());
  EXPECT_EQ(got->length, 20u);
  EXPECT_EQ(got->crc64, UINT64_MAX);
}

TEST(GrantRequest, RefusesOtherBodies) {
  for (const std::string_view body :
       {"", "{", "[]", "20", "null", R"({"length":20})", R"({"checksum":{"algo":"crc64nvme","value":"1"}})",
        R"({"length":-1,"checksum":{"algo":"crc64nvme","value":"1"}})",
        R"({"length":"20","checksum":{"algo":"crc64nvme","value":"1"}})",
        R"({"length":1.5,"checksum":{"algo":"crc64nvme","value":"1"}})",
        R"({"length":20,"checksum":{"algo":"crc64nvme","value":1}})",
        R"({"length":20,"checksum":{"algo":"crc64nvme","value":""}})",
        R"({"length":20,"checksum":{"algo":"crc64nvme","value":"-1"}})",
        R"({"length":20,"checksum":{"algo":"crc64nvme","value":"18446744073709551616"}})",
        R"({"length":20,"checksum":{"algo":"crc64nvme","value":"1 "}})",
        R"({"length":20,"checksum":{"algo":"crc32","value":"1"}})", R"({"length":20,"checksum":"1"})",
        R"({"length":20,"checksum":{"algo":["crc64nvme"],"value":"1"}})"}) {
    EXPECT_THAT(GrantRequest::parse(as_byte_span(body)), FailsWith(ErrorCode::kInvalidArgument)) << body;
  }
}

TEST(BatchBody, ReadsHashesAndPassesOverThoseThatAreNone) {
  const std::string good(64, 'a');
  const auto got =
      parse_batch_body(as_byte_span(R"([{"prefix":"default","hash":")" + good + R"("},{"hash":"zz"}])"), 10);
  ASSERT_THAT(got, IsOk());
  EXPECT_EQ(*got, std::vector{*FileHash::from_hex(good)});
  EXPECT_TRUE(parse_batch_body(as_byte_span("[]"), 10)->empty());
}

TEST(BatchBody, RefusesWhatItCannotMean) {
  for (const std::string_view body :
       {"", "{}", "[1]", "[[]]", R"([{"hash":1}])", R"([{}])", R"([{"hash":"zz"}])"}) {
    EXPECT_THAT(parse_batch_body(as_byte_span(body), 10), FailsWith(ErrorCode::kInvalidArgument)) << body;
  }
  const std::string one = R"({"hash":")" + std::string(64, 'a') + R"("})";
  EXPECT_THAT(parse_batch_body(as_byte_span("[" + one + "," + one + "]"), 1), FailsWith(ErrorCode::kRefused));
}

TEST(BatchBody, DoesNotRecurseIntoDeepNests) {
  const std::string deep(1 << 20, '[');
  EXPECT_THAT(parse_batch_body(as_byte_span(deep), 10), FailsWith(ErrorCode::kInvalidArgument));
  EXPECT_THAT(parse_batch_body(as_byte_span(std::string(1 << 19, '[') + std::string(1 << 19, ']')), 10),
              FailsWith(ErrorCode::kInvalidArgument));
}

TEST(BatchQuery, IsTheSameForIdsInTheQuery) {
  const std::string a(64, 'a');
  const std::string b(64, 'B');
  EXPECT_EQ(parse_batch_query("file_id=" + a + "&file_id=x&file_id=" + b, 10)->size(), 2u);
  EXPECT_TRUE(parse_batch_query("", 10)->empty());
  EXPECT_THAT(parse_batch_query("file_id=x", 10), FailsWith(ErrorCode::kInvalidArgument));
  EXPECT_THAT(parse_batch_query("file_id=" + a + "&file_id=x", 1), FailsWith(ErrorCode::kRefused));
}

/// Feeds a header in pieces of `step` bytes.
Result<RequestHead> parse(std::string_view text, size_t step = SIZE_MAX, size_t max = 4096) {
  RequestParser parser(max);
  ByteVector buffer;
  for (size_t at = 0; at < text.size(); at += std::min(step, text.size() - at)) {
    append_bytes(buffer, as_byte_span(text.substr(at, step)));
    XET_TRY(const auto progress, parser.parse_head(buffer));
    buffer.erase(buffer.begin(), buffer.begin() + static_cast<ptrdiff_t>(progress.consumed));
    if (progress.complete) return parser.head();
  }
  return fail(ErrorCode::kUnavailable, "incomplete");
}

TEST(RequestParser, ReadsWhatTheServerLooksAtHoweverItIsCut) {
  const std::string_view text =
      "POST /v1/x?y=z HTTP/1.1\r\nHost: h:1\r\nAUTHORIZATION: Bearer t\r\nrange: bytes=0-1\r\n"
      "If-None-Match: *\r\nX-Xet-Session-Id: s\r\nContent-Length: 12\r\nExpect: 100-Continue\r\n\r\n";
  for (const size_t step : {size_t{1}, size_t{7}, text.size()}) {
    const auto head = parse(text, step);
    ASSERT_THAT(head, IsOk());
    EXPECT_EQ(head->method, "POST");
    EXPECT_EQ(head->target, "/v1/x?y=z");
    EXPECT_EQ(head->host, "h:1");
    EXPECT_EQ(head->authorization, "Bearer t");
    EXPECT_EQ(head->range, "bytes=0-1");
    EXPECT_EQ(head->if_none_match, "*");
    EXPECT_EQ(head->session_id, "s");
    EXPECT_EQ(head->content_length, 12u);
    EXPECT_TRUE(head->expects_continue);
    EXPECT_TRUE(head->keep_alive);
    EXPECT_FALSE(head->chunked);
  }
}

TEST(RequestParser, KnowsWhenAConnectionStays) {
  EXPECT_TRUE(parse("GET / HTTP/1.1\r\nHost: h\r\n\r\n")->keep_alive);
  EXPECT_FALSE(parse("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")->keep_alive);
  EXPECT_FALSE(parse("GET / HTTP/1.0\r\n\r\n")->keep_alive);
  EXPECT_TRUE(parse("GET / HTTP/1.0\r\n\r\n")->http_1_0);
}

TEST(RequestParser, RefusesWhatTwoReadersCouldSeeDifferently) {
  for (const std::string_view fields :
       {"Content-Length: 1\r\nContent-Length: 2\r\n", "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n", "Content-Length: -1\r\n",
        "Content-Length: +1\r\n", "Content-Length: 1x\r\n", "Content-Length: 99999999999999999999\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: gzip\r\n",
        "Host: a\r\nHost: b\r\n", "Range: bytes=0-1\r\nRange: bytes=2-3\r\n",
        "Authorization: a\r\nAuthorization: b\r\n", "Expect: everything\r\n", "No colon\r\n",
        "Bad name : x\r\n", " folded: x\r\n", "X: a\x01z\r\n"}) {
    EXPECT_THAT(parse("POST / HTTP/1.1\r\n" + std::string(fields) + "\r\n"),
                FailsWith(ErrorCode::kInvalidArgument))
        << fields;
  }
}

TEST(RequestParser, RefusesWhatIsNoRequest) {
  for (const std::string_view text :
       {"\x16\x03\x01\x02", "GET /\r\n\r\n", "GET / HTTP/2.0\r\n\r\n", "GET / HTTP/0.9\r\n\r\n",
        "G@T / HTTP/1.1\r\n\r\n", "GET /a b HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}) {
    EXPECT_THAT(parse(text), FailsWith(ErrorCode::kInvalidArgument)) << text;
  }
}

TEST(RequestParser, RefusesHeadersBeyondTheLimit) {
  const std::string many = "GET / HTTP/1.1\r\nX: " + std::string(5000, 'a') + "\r\n\r\n";
  EXPECT_THAT(parse(many), FailsWith(ErrorCode::kRefused));
  EXPECT_THAT(parse(many, SIZE_MAX, 8192), IsOk());
}

/// Decodes a chunked body that comes in pieces of `step` bytes, into pieces of `room`.
Result<std::string> decode(std::string_view text, size_t step, size_t room) {
  RequestParser parser(4096);
  const auto head = as_byte_span("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
  XET_TRY(const auto parsed, parser.parse_head(head));
  if (!parsed.complete) return fail(ErrorCode::kInternal, "header");
  std::string out;
  ByteVector input;
  ByteVector piece(room);
  size_t at = 0;
  for (;;) {
    XET_TRY(const auto progress, parser.decode_chunked(input, piece));
    out += as_chars(ByteSpan(piece).first(progress.produced));
    input.erase(input.begin(), input.begin() + static_cast<ptrdiff_t>(progress.consumed));
    if (progress.complete) return out;
    if (progress.consumed > 0 || progress.produced > 0) continue;
    if (at == text.size()) return fail(ErrorCode::kUnavailable, "incomplete");
    const auto more = text.substr(at, step);
    append_bytes(input, as_byte_span(more));
    at += more.size();
  }
}

TEST(ChunkedBody, IsDecodedHoweverItIsCut) {
  const std::string_view text = "3\r\nabc\r\n10;ext=1\r\n0123456789abcdef\r\n0\r\nTrailer: x\r\n\r\n";
  for (const size_t step : {1u, 2u, 5u, 100u}) {
    for (const size_t room : {1u, 3u, 100u}) {
      const auto got = decode(text, step, room);
      ASSERT_THAT(got, IsOk()) << step << " " << room;
      EXPECT_EQ(*got, "abc0123456789abcdef");
    }
  }
}

TEST(ChunkedBody, RefusesMalformedOnes) {
  for (const std::string_view text :
       {"x\r\n", "3\r\nabcd\r\n0\r\n\r\n", "-1\r\n", "fffffffffffffffff\r\na\r\n", "3 \r\nabc\r\n0\r\n\r\n",
        "\r\n0\r\n\r\n"}) {
    EXPECT_THAT(decode(text, 100, 100), FailsWith(ErrorCode::kInvalidArgument)) << text;
  }
  EXPECT_THAT(decode("5\r\nabc", 100, 100), FailsWith(ErrorCode::kUnavailable));
}

}  // namespace
}  // namespace xet::http
