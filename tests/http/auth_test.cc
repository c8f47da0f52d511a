// Who may do what: every route with every kind of token.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "http/http_fixture.h"
#include "server/http/route.h"
#include "support/matchers.h"

namespace xet::testing {
namespace {

using http::Access;
using ::testing::HasSubstr;
using ::testing::Not;

std::string base64url(std::string_view text) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  for (size_t i = 0; i < text.size(); i += 3) {
    uint32_t word = 0;
    const size_t n = std::min<size_t>(3, text.size() - i);
    for (size_t k = 0; k < 3; ++k) word = word << 8 | (k < n ? static_cast<unsigned char>(text[i + k]) : 0);
    for (size_t k = 0; k <= n; ++k) out.push_back(kDigits[word >> (18 - 6 * k) & 63]);
  }
  return out;
}

class Permissions : public ::testing::Test {
 protected:
  Permissions() : mine_(fixture_.add_file(xorb_)) {}

  /// A request that would succeed with the right token.
  struct Good {
    std::string target;
    std::string body;
  };
  Good good_request(const http::Route& route) {
    std::string target(route.path);
    const auto put = [&](std::string_view place, const std::string& value) {
      if (const size_t at = target.find(place); at != std::string::npos)
        target.replace(at, place.size(), value);
    };
    const bool of_chunk = target.find("/chunks/") != std::string::npos;
    put("{file}", mine_.hash.hex());
    put("{prefix}", "default");
    put("{hash}", of_chunk ? xorb_.chunk_hashes[0].hex() : xorb_.hash.hex());
    put("{name}", "x");
    Good out{.target = target, .body = {}};
    if (route.max_body == &http::ServerLimits::xorb_body_bytes) out.body = as_chars(xorb_.body);
    if (route.max_body == &http::ServerLimits::shard_body_bytes) {
      out.body = as_chars(make_shard({mine_}, {&xorb_}));
    }
    if (target.ends_with("/reconstructions") && route.method == "POST") {
      out.body = fmt::format(R"([{{"prefix":"default","hash":"{}"}}])", mine_.hash.hex());
    }
    if (target.find("xorb-grants") != std::string::npos) {
      out.body = R"({"length":1,"checksum":{"algo":"crc64nvme","value":"1"}})";
    }
    if (target.find("telemetry") != std::string::npos) out.body = "{}";
    return out;
  }
  HttpAnswer ask(const http::Route& route, const HttpHeaders& headers) {
    const auto good = good_request(route);
    return client_.request(route.method, good.target, headers, good.body);
  }

  HttpFixture fixture_;
  const SampleXorb xorb_ = make_xorb(10, 1);
  const format::FileRecord mine_;
  RawClient client_ = fixture_.connect();
};

TEST_F(Permissions, HoldForEveryRouteAndEveryToken) {
  const auto good = fixture_.token(core::Scope::kWrite);
  const auto flip = [](std::string token, size_t at) {
    token[at] = token[at] == 'A' ? 'B' : 'A';
    return token;
  };
  const size_t first_dot = good.find('.');
  const size_t last_dot = good.rfind('.');
  const std::string payload = good.substr(first_dot + 1, last_dot - first_dot - 1);
  const std::string none = base64url(R"({"alg":"none","typ":"JWT"})") + "." + payload + ".";
  const std::string hs256 =
      base64url(R"({"alg":"HS256","typ":"JWT"})") + "." + payload + good.substr(last_dot);
  const std::string expired = fixture_.token(core::Scope::kWrite, "model/acme/one", std::chrono::seconds(0));
  const std::vector<std::pair<std::string, HttpHeaders>> bad = {
      {"none", {}},
      {"empty", {{"Authorization", ""}}},
      {"bearer without token", {{"Authorization", "Bearer"}}},
      {"bearer of nothing", {{"Authorization", "Bearer "}}},
      {"basic", {{"Authorization", "Basic " + good}}},
      {"no scheme", {{"Authorization", good}}},
      {"garbage", {{"Authorization", "Bearer x.y.z"}}},
      {"long", {{"Authorization", "Bearer " + std::string(8000, 'a')}}},
      {"expired", {HttpFixture::bearer(expired)}},
      {"alg none", {HttpFixture::bearer(none)}},
      {"alg none, signed", {HttpFixture::bearer(none + good.substr(last_dot + 1))}},
      {"alg HS256", {HttpFixture::bearer(hs256)}},
      {"header", {HttpFixture::bearer(flip(good, 3))}},
      {"payload", {HttpFixture::bearer(flip(good, first_dot + 10))}},
      {"signature", {HttpFixture::bearer(flip(good, last_dot + 5))}},
      {"signature cut", {HttpFixture::bearer(good.substr(0, good.size() - 1))}},
      {"more behind", {HttpFixture::bearer(good + "A")}},
      {"twice", {HttpFixture::bearer(good), HttpFixture::bearer(good)}},
  };
  size_t guarded = 0;
  for (const auto& route : http::routes()) {
    if (route.access != Access::kRead && route.access != Access::kWrite) continue;
    ++guarded;
    const auto name = fmt::format("{} {}", route.method, route.path);
    for (const auto& [what, headers] : bad) {
      const auto answer = ask(route, headers);
      EXPECT_EQ(answer.status, what == "twice" ? 400 : 401) << name << " with " << what;
      if (answer.status == 401) {
        EXPECT_EQ(answer.header("WWW-Authenticate"), "Bearer");
      }
      EXPECT_THAT(answer.body, Not(HasSubstr(payload))) << "no token in a text";
    }
    const auto with_read = ask(route, {fixture_.reader()});
    if (route.access == Access::kWrite) {
      EXPECT_EQ(with_read.status, 403) << name;
    } else if (route.path.find("/chunks/") != std::string_view::npos) {
      EXPECT_EQ(with_read.status, 404) << name << ": for uploads only";
    } else {
      EXPECT_EQ(with_read.status, 200) << name << ": " << with_read.body;
    }
    const auto with_write = ask(route, {fixture_.writer()});
    EXPECT_EQ(with_write.status, 200) << name << ": " << with_write.body;
    EXPECT_EQ(ask(route, {{"authorization", "bEARER " + good}}).status, 200)
        << name << ": case does not matter";
  }
  EXPECT_EQ(guarded, 15u) << "a route was added: look whether this test says everything about it";
  for (const auto& line : fixture_.log_lines()) EXPECT_THAT(line, Not(HasSubstr(payload)));
  for (const auto& line : fixture_.events()) EXPECT_THAT(line, Not(HasSubstr(payload)));
}

TEST_F(Permissions, OfAnotherRepositoryFindNothing) {
  const auto foreign = HttpFixture::bearer(fixture_.token(core::Scope::kWrite, "model/other/two"));
  for (const auto& route : http::routes()) {
    if (route.access != Access::kRead) continue;
    const auto name = fmt::format("{} {}", route.method, route.path);
    const auto answer = ask(route, {foreign});
    if (route.path.find("{file}") != std::string_view::npos ||
        route.path.find("/chunks/") != std::string_view::npos) {
      EXPECT_EQ(answer.status, 404) << name << ": as if there were no such thing";
    } else if (route.path.ends_with("/reconstructions") && route.method == "POST") {
      EXPECT_EQ(answer.body, R"({"files":{},"fetch_info":{}})") << name;
    } else {
      EXPECT_EQ(answer.status, 200) << name << ": nothing of anybody's is in it";
    }
  }
  // What is written is the foreign repository's own; who shows that he has all the bytes may name them.
  for (const auto& route : http::routes()) {
    if (route.access != Access::kWrite) continue;
    const auto answer = ask(route, {foreign});
    EXPECT_EQ(answer.status, 200) << route.method << " " << route.path << ": " << answer.body;
  }
}

TEST_F(Permissions, AGrantIsForTheRepositoryThatAsked) {
  const auto other = make_xorb(10, 2);
  const auto foreign = HttpFixture::bearer(fixture_.token(core::Scope::kWrite, "model/other/two"));
  const auto answer = client_.request("POST", "/v1/xorb-grants/default/" + other.hash.hex(), {foreign},
                                      R"({"length":1,"checksum":{"algo":"crc64nvme","value":"1"}})");
  ASSERT_EQ(answer.status, 201);
  const auto line = fixture_.wait_for_log_lines(1).back();
  EXPECT_THAT(line, Not(HasSubstr(nlohmann::json::parse(answer.body)["id"].get<std::string>())));
}

TEST_F(Permissions, SignedRoutesAndOpenOnesAskForNoToken) {
  for (const auto& route : http::routes()) {
    if (route.access != Access::kOpen && route.access != Access::kSigned) continue;
    const int status = ask(route, {}).status;
    EXPECT_EQ(status, route.access == Access::kOpen ? 200 : 403) << route.method << " " << route.path;
  }
}

TEST(WithoutAuth, EverythingIsAllowedAndEveryFileCanBeRead) {
  HttpFixture fixture([](auto& options) { options.auth = false; });
  const auto xorb = make_xorb(10, 1);
  const auto file = fixture.add_file(xorb, "model/acme/one");
  auto client = fixture.connect();
  EXPECT_EQ(client.request("GET", "/v2/reconstructions/" + file.hash.hex()).status, 200);
  EXPECT_EQ(
      client.request("GET", "/v2/reconstructions/" + file.hash.hex(), {{"Authorization", "Bearer rubbish"}})
          .status,
      200);
  const auto other = make_xorb(10, 2);
  EXPECT_EQ(client.request("POST", "/v1/xorbs/default/" + other.hash.hex(), {}, as_chars(other.body)).status,
            200);
}

TEST(WithoutAuth, IsForLoopbackOnly) {
  const TempDir dir;
  const auto store = core::open_embedded_store(dir / "store");
  ASSERT_THAT(store, IsOk());
  for (const auto* address : {"0.0.0.0:0", ":0", "[::]:0", "10.1.2.3:0"}) {
    EXPECT_THAT(http::Server::start(*store->service, {.listen = address, .auth = false}),
                FailsWith(ErrorCode::kInvalidArgument, "loopback"))
        << address;
  }
}

}  // namespace
}  // namespace xet::testing
