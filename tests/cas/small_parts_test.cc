#include <gmock/gmock.h>

#include <regex>
#include <string>

#include "cas/call.h"
#include "cas/context.h"
#include "cas/endpoint_tag.h"
#include "cas/grant.h"
#include "cas/session_id.h"
#include "cas/shard_upload.h"
#include "cas/token_source.h"
#include "support/matchers.h"

namespace xet::cas {
namespace {

using testing::FailsWith;
using testing::IsOk;

TEST(EndpointTag, IsTheGenuineClients) {
  EXPECT_EQ(endpoint_tag("https://cas-server.xethub.hf.co"), "https___cas_serv-tGqkUaZf_CBPHQ6h");
  EXPECT_EQ(endpoint_tag("http://localhost:8080"), "http___localhost-tjla_2j1u1NqFThu");
  EXPECT_EQ(endpoint_tag("http://127.0.0.1:8080"), "http___127_0_0_1-p9zdoE6JDuITEj-w");
  EXPECT_EQ(endpoint_tag("http://\xc3\xa4\xc3\xb6.example/abc").substr(0, 19),
            "http___\xc3\xa4\xc3\xb6_exampl-");
  EXPECT_NE(endpoint_tag("http://localhost:8080/"), endpoint_tag("http://localhost:8080"));
}

TEST(SessionId, IsAUuidOfVersion7) {
  double next = 0;
  const std::regex form("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}");
  for (const double value : {0.0, 0.5, 0.999999999}) {
    next = value;
    const auto id =
        make_session_id(std::chrono::system_clock::time_point(std::chrono::milliseconds(0x0123456789ab)),
                        [&] { return next; });
    EXPECT_TRUE(std::regex_match(id, form)) << id;
    EXPECT_EQ(id.substr(0, 13), "01234567-89ab");
  }
}

TEST(Grant, IsAskedForAsTheGenuineClientDoes) {
  EXPECT_EQ(grant_request(20, 3879687725877942381),
            R"({"length":20,"checksum":{"algo":"crc64nvme","value":"3879687725877942381"}})");
}

TEST(Grant, IsReadStrictly) {
  const auto grant = parse_grant(as_byte_span(
      R"({"id":"7","method":"PUT","url":"https://s/x?y","headers":{"if-none-match":"*"},"more":1})"));
  ASSERT_THAT(grant, IsOk());
  EXPECT_EQ(grant->id, "7");
  EXPECT_EQ(net::find_header(grant->headers, "If-None-Match"), "*");
  EXPECT_TRUE(is_usable(*grant, 5));
  for (const auto* text :
       {"", "[]", "{}", R"({"id":7,"method":"PUT","url":"u","headers":{}})",
        R"({"id":"7","method":"PUT","url":"u"})", R"({"id":"7","method":"PUT","url":"u","headers":[]})",
        R"({"id":"7","method":"PUT","url":"u","headers":{"a":1}})", R"({"id":"7","url":"u","headers":{}})"}) {
    EXPECT_THAT(parse_grant(as_byte_span(text)), FailsWith(ErrorCode::kCorruption)) << text;
  }
}

TEST(Grant, IsUsedOnlyIfARequestCanBeMadeOfIt) {
  const UploadGrant good{.id = "1", .method = "PUT", .url = "http://h/x", .headers = {{"A", "b"}}};
  EXPECT_TRUE(is_usable(good, 5));
  const auto with = [&](auto change) {
    auto grant = good;
    change(grant);
    return is_usable(grant, 5);
  };
  EXPECT_FALSE(with([](auto& grant) { grant.method = ""; }));
  EXPECT_FALSE(with([](auto& grant) { grant.method = "PUT / HTTP/1.1\r\n"; }));
  EXPECT_FALSE(with([](auto& grant) { grant.url = "file:///etc/passwd"; }));
  EXPECT_FALSE(with([](auto& grant) { grant.url = "http://h/ x"; }));
  EXPECT_FALSE(with([](auto& grant) { grant.headers = {{"A\r\nB", "c"}}; }));
  EXPECT_FALSE(with([](auto& grant) { grant.headers = {{"A", "c\r\nB: d"}}; }));
  EXPECT_TRUE(with([](auto& grant) { grant.headers = {{"content-length", "5"}}; }));
  EXPECT_FALSE(with([](auto& grant) { grant.headers = {{"content-length", "6"}}; }));
  EXPECT_FALSE(with([](auto& grant) { grant.headers = {{"Transfer-Encoding", "chunked"}}; }));
  EXPECT_FALSE(with([](auto& grant) { grant.headers.resize(65, {"A", "b"}); }));
}

TEST(TokenAnswer, IsReadStrictlyAndNotPrinted) {
  const auto answer =
      parse_token_answer(as_byte_span(R"({"casUrl":"http://c","exp":12,"accessToken":"secret","x":{}})"));
  ASSERT_THAT(answer, IsOk());
  EXPECT_EQ(answer->cas_url, "http://c");
  EXPECT_EQ(answer->token.text, "secret");
  EXPECT_EQ(answer->token.expires_at_s, 12u);
  for (const auto* text :
       {"secret", "{}", R"({"casUrl":"c","exp":"12","accessToken":"secret"})",
        R"({"casUrl":"c","exp":-1,"accessToken":"secret"})",
        R"({"casUrl":"c","exp":1.5,"accessToken":"secret"})", R"({"casUrl":"c","accessToken":"secret"})",
        R"({"casUrl":"c","exp":12,"accessToken":["secret"]})", R"(["secret"])"}) {
    const auto bad = parse_token_answer(as_byte_span(text));
    ASSERT_THAT(bad, FailsWith(ErrorCode::kCorruption)) << text;
    EXPECT_EQ(bad.error().message.find("secret"), std::string::npos);
  }
}

TEST(OneLine, IsFitForATerminal) {
  EXPECT_EQ(one_line("a\r\nb\t\x1b[31mc\x7f"), "a b [31mc");
  EXPECT_EQ(one_line("\xc2\x9b"
                     "31m"),
            "31m");
  EXPECT_EQ(one_line("  x  "), "x");
  EXPECT_EQ(one_line("\xc3\xa4\xc3\xa4", 3), "\xc3\xa4");
  EXPECT_EQ(one_line("\xe2\x82\xac\xe2\x82\xac", 4), "\xe2\x82\xac");
  EXPECT_EQ(one_line("\xe2\x82\xac\xe2\x82\xac", 5), "\xe2\x82\xac");
  EXPECT_EQ(one_line(std::string(1000, 'x')).size(), 300u);
}

TEST(StatusError, HasCodeAndTextButNoSecret) {
  const auto error = [](int status, std::string_view body, net::Headers headers = {}) {
    net::Response response;
    response.head = {status, std::move(headers)};
    append_bytes(response.body, as_byte_span(body));
    return status_error(response, "TOKEN");
  };
  const std::pair<int, ErrorCode> codes[] = {
      {400, ErrorCode::kRefused},     {401, ErrorCode::kUnauthorized}, {403, ErrorCode::kUnauthorized},
      {404, ErrorCode::kNotFound},    {408, ErrorCode::kUnavailable},  {413, ErrorCode::kRefused},
      {429, ErrorCode::kUnavailable}, {500, ErrorCode::kUnavailable},  {501, ErrorCode::kRefused},
      {503, ErrorCode::kUnavailable}, {507, ErrorCode::kRefused},      {302, ErrorCode::kCorruption},
      {204, ErrorCode::kCorruption}};
  for (const auto& [status, code] : codes) EXPECT_EQ(error(status, "").code, code) << status;
  EXPECT_EQ(error(413, "too\nbig").message, "413 Content Too Large: too big");
  EXPECT_EQ(error(500, "for TOKEN").message, "500 Internal Server Error");
  EXPECT_EQ(error(502, "<html>", {{"content-type", "text/html"}}).message, "502 Bad Gateway");
}

TEST(Headers, OwnOnesReplaceStandingOnes) {
  const auto out = merged({{"A", "1"}, {"authorization", "x"}}, {{"Authorization", "y"}, {"B", "2"}});
  ASSERT_EQ(out.size(), 3u);
  EXPECT_EQ(net::find_header(out, "AUTHORIZATION"), "y");
}

TEST(ShardRefusal, IsUnderstoodByItsWords) {
  for (const auto* text :
       {"xorb 12ab not found", "XorbNotFound", "unknown xorb: 12", "Xorb 12 does not exist",
        "file 3 refers to xorb 12, which the store does not have", "missing xorb"})
    EXPECT_TRUE(says_xorb_is_missing(text)) << text;
  for (const auto* text : {"", "not found", "file not found", "xorb 12: hash mismatch", "shard too large"})
    EXPECT_FALSE(says_xorb_is_missing(text)) << text;
}

}  // namespace
}  // namespace xet::cas
