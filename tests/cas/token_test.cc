#include <fmt/format.h>
#include <gmock/gmock.h>

#include <atomic>
#include <future>
#include <thread>

#include "cas/http_fixture.h"
#include "cas/token_source.h"

namespace xet::cas {
namespace {

using testing::FailsWith;
using testing::FakeClock;
using ::testing::HasSubstr;
using testing::HttpFixture;
using testing::IsOk;
using ::testing::Not;
using testing::reply;
using testing::SentRequest;

const FileHash kFile = FileHash::from_hex(std::string(64, 'a')).value();
const std::string kEmptyPlan = R"({"offset_into_first_range":0,"terms":[],"xorbs":{}})";

uint64_t now_s(const Clock& clock) {
  return static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(clock.wall_now().time_since_epoch()).count());
}

// --- The source alone

/// A source whose refreshes wait for the test.
struct Source {
  explicit Source(std::optional<AccessToken> first = std::nullopt)
      : tokens(
            std::move(first),
            [this](std::stop_token, Callback<AccessToken> done) {
              ++n_refreshes;
              land = std::move(done);
            },
            clock) {}
  Result<std::string>& get() {
    got.emplace_back(fail(ErrorCode::kInternal, "pending"));
    tokens.get({}, [this, i = got.size() - 1](Result<std::string> token) { got[i] = std::move(token); });
    return got.back();
  }
  FakeClock clock;
  size_t n_refreshes = 0;
  Callback<AccessToken> land;
  std::deque<Result<std::string>> got;
  TokenSource tokens;
};

TEST(TokenSource, IsRefreshedThirtySecondsBeforeItsEnd) {
  FakeClock clock;
  const uint64_t now = now_s(clock);
  for (const auto& [left_s, is_refreshed] :
       std::vector<std::pair<uint64_t, bool>>{{0, true}, {1, true}, {30, true}, {31, false}, {1000, false}}) {
    Source source(AccessToken{"old", now + left_s});
    const auto& token = source.get();
    EXPECT_EQ(source.n_refreshes, is_refreshed ? 1u : 0u) << left_s;
    if (is_refreshed) source.land(AccessToken{"new", now + 900});
    EXPECT_EQ(token.value(), is_refreshed ? "new" : "old");
  }
}

TEST(TokenSource, OneRefreshForAllWaiters) {
  Source source;
  for (int i = 0; i < 5; ++i) source.get();
  EXPECT_EQ(source.n_refreshes, 1u);
  source.land(AccessToken{"new"});
  for (const auto& token : source.got) EXPECT_EQ(token.value(), "new");
  EXPECT_EQ(source.get().value(), "new");
  EXPECT_EQ(source.n_refreshes, 1u);
}

TEST(TokenSource, AFailureIsSharedAndForgotten) {
  Source source;
  source.get();
  source.get();
  source.land(fail(ErrorCode::kUnavailable, "hub is down"));
  for (const auto& token : source.got) EXPECT_THAT(token, FailsWith(ErrorCode::kUnavailable, "hub is down"));
  const auto& next = source.get();
  EXPECT_EQ(source.n_refreshes, 2u);
  source.land(AccessToken{"new"});
  EXPECT_EQ(next.value(), "new");
}

TEST(TokenSource, AnEndingTokenIsStillUsedWhenThereIsNoOther) {
  FakeClock clock;
  Source source(AccessToken{"old", now_s(clock) + 10});
  const auto& token = source.get();
  source.land(fail(ErrorCode::kUnavailable, "hub is down"));
  EXPECT_EQ(token.value(), "old");
}

TEST(TokenSource, ANewTokenIsUsedThoughItEndsSoon) {
  Source source;
  const auto& token = source.get();
  source.land(AccessToken{"short", now_s(source.clock) + 5});
  EXPECT_EQ(token.value(), "short");
  source.get();
  EXPECT_EQ(source.n_refreshes, 2u);
}

TEST(TokenSource, ARefusedTokenIsReplacedOnce) {
  Source source(AccessToken{"old"});
  EXPECT_EQ(source.get().value(), "old");
  EXPECT_TRUE(source.tokens.refused("old"));
  source.get();
  EXPECT_EQ(source.n_refreshes, 1u);
  source.land(AccessToken{"new"});
  EXPECT_TRUE(source.tokens.refused("old"));  // somebody who used it late: there is a newer one
  EXPECT_EQ(source.get().value(), "new");
  EXPECT_EQ(source.n_refreshes, 1u);
}

TEST(TokenSource, AFixedTokenIsUsedToTheEndAndBeyond) {
  FakeClock clock;
  TokenSource tokens(AccessToken{"fixed", now_s(clock) - 5}, {}, clock);
  std::string got;
  tokens.get({}, [&](Result<std::string> token) { got = token.value(); });
  EXPECT_EQ(got, "fixed");
  EXPECT_FALSE(tokens.refused("fixed"));
  EXPECT_FALSE(TokenSource(std::nullopt, {}, clock).is_used());
}

TEST(TokenSource, ATokenThatWouldSplitAHeaderIsRefused) {
  for (const auto* text : {"", "a b", "a\r\nX: y", "\xc3\xa4", "a\x7f"}) {
    Source source;
    const auto& token = source.get();
    source.land(AccessToken{text});
    EXPECT_THAT(token, FailsWith(ErrorCode::kUnauthorized));
  }
}

// --- In calls

TEST(HttpToken, ARefreshUrlIsAskedWithItsOwnHeadersAlone) {
  HttpFixture http(
      [](const SentRequest& request) {
        if (request.url.starts_with("http://hub.test"))
          return reply(200, R"({"casUrl":"http://ignored","exp":99999999999,"accessToken":"T1"})");
        return reply(200, kEmptyPlan);
      },
      [](auto& options) {
        options.credentials.refresh_url = "http://hub.test/token?x=1";
        options.credentials.refresh_headers = {{"Authorization", "Bearer hf_SECRET"}};
        options.headers = {{"X-Custom", "1"}};
        options.user_agent = "ua";
      });
  for (int i = 0; i < 2; ++i) EXPECT_THAT(http.reconstruct(kFile), IsOk());
  const auto sent = http.transport->requests();
  ASSERT_EQ(sent.size(), 3u);
  EXPECT_EQ(sent[0].url, "http://hub.test/token?x=1");
  EXPECT_EQ(sent[0].header("Authorization"), "Bearer hf_SECRET");
  EXPECT_EQ(sent[0].header("X-Custom"), "");
  EXPECT_EQ(sent[0].header("User-Agent"), "");
  EXPECT_EQ(sent[0].header("X-Xet-Session-Id"), "session");
  EXPECT_EQ(sent[1].header("Authorization"), "Bearer T1");
  EXPECT_EQ(sent[1].url.substr(0, 15), "http://cas.test");
  EXPECT_EQ(sent[1].header("User-Agent"), "ua");
  EXPECT_EQ(sent[2].header("Authorization"), "Bearer T1");
}

TEST(HttpToken, TheTokenReplacesACustomHeader) {
  HttpFixture http([](const SentRequest&) { return reply(200, kEmptyPlan); },
                   [](auto& options) {
                     options.credentials.token = AccessToken{"T"};
                     options.headers = {{"authorization", "x"}};
                   });
  ASSERT_THAT(http.reconstruct(kFile), IsOk());
  const auto sent = http.transport->requests()[0];
  EXPECT_EQ(std::count_if(sent.headers.begin(), sent.headers.end(),
                          [](const auto& header) { return header.value == "x"; }),
            0);
  EXPECT_EQ(sent.header("Authorization"), "Bearer T");
}

TEST(HttpToken, FourOhOneRefreshesOnceAndGoesOn) {
  std::atomic<int> n_tokens = 0;
  HttpFixture http(
      [](const SentRequest& request) {
        return request.header("Authorization") == "Bearer T2" ? reply(200, kEmptyPlan) : reply(401);
      },
      [&](auto& options) {
        options.credentials.token = AccessToken{"T1"};
        options.credentials.refresh = [&]() -> Result<AccessToken> {
          return AccessToken{fmt::format("T{}", ++n_tokens + 1)};
        };
      });
  EXPECT_THAT(http.reconstruct(kFile), IsOk());
  EXPECT_EQ(http.transport->requests().size(), 2u);
  EXPECT_EQ(n_tokens, 1);
  EXPECT_TRUE(http.trouble().empty());
}

TEST(HttpToken, ASecond401IsFatalAndSaysNothingSecret) {
  HttpFixture http(
      [](const SentRequest& request) { return reply(401, "no: " + request.header("Authorization")); },
      [&](auto& options) {
        options.credentials.token = AccessToken{"SECRET1"};
        options.credentials.refresh = []() -> Result<AccessToken> { return AccessToken{"SECRET2"}; };
      });
  const auto out = http.reconstruct(kFile);
  EXPECT_THAT(out, FailsWith(ErrorCode::kUnauthorized, "401"));
  EXPECT_THAT(out.error().message, Not(HasSubstr("SECRET")));
  EXPECT_EQ(http.transport->requests().size(), 2u);
}

TEST(HttpToken, AFixedTokenThatIsRefusedIsFatalAtOnce) {
  HttpFixture http([](const SentRequest&) { return reply(401); },
                   [&](auto& options) { options.credentials.token = AccessToken{"T1"}; });
  EXPECT_THAT(http.reconstruct(kFile), FailsWith(ErrorCode::kUnauthorized));
  EXPECT_EQ(http.transport->requests().size(), 1u);
}

TEST(HttpToken, AFailedRefreshFailsTheCallAndNotTheNextOne) {
  std::atomic<bool> hub_works = false;
  HttpFixture http([](const SentRequest&) { return reply(200, kEmptyPlan); },
                   [&](auto& options) {
                     options.credentials.refresh = [&]() -> Result<AccessToken> {
                       if (hub_works) return AccessToken{"T"};
                       return fail(ErrorCode::kUnauthorized, "not logged in");
                     };
                   });
  EXPECT_THAT(http.reconstruct(kFile), FailsWith(ErrorCode::kUnauthorized, "not logged in"));
  EXPECT_TRUE(http.transport->requests().empty());
  hub_works = true;
  EXPECT_THAT(http.reconstruct(kFile), IsOk());
}

TEST(HttpToken, TheHubsStatusDecides) {
  for (const auto& [status, n_requests, code] :
       std::vector<std::tuple<int, size_t, ErrorCode>>{{401, 1, ErrorCode::kUnauthorized},
                                                       {403, 1, ErrorCode::kUnauthorized},
                                                       {404, 1, ErrorCode::kNotFound},
                                                       {429, 2, ErrorCode::kUnavailable},
                                                       {500, 2, ErrorCode::kUnavailable},
                                                       {200, 2, ErrorCode::kUnavailable}}) {
    HttpFixture http([&, now = status](const SentRequest&) { return reply(now, "{}"); },
                     [](auto& options) {
                       options.retry.max_retries = 1;
                       options.credentials.refresh_url = "http://hub.test/token";
                     });
    EXPECT_THAT(http.reconstruct(kFile), FailsWith(code)) << status;
    EXPECT_EQ(http.transport->requests().size(), n_requests) << status;
  }
}

TEST(HttpToken, ExpiryInTheMiddleOfManyCallsIsOneRefresh) {
  std::atomic<int> n_tokens = 0;
  FakeClock* clock = nullptr;
  HttpFixture http([](const SentRequest&) { return reply(200, kEmptyPlan); },
                   [&](auto& options) {
                     options.credentials.refresh = [&]() -> Result<AccessToken> {
                       ++n_tokens;
                       return AccessToken{"T", now_s(*clock) + 900};
                     };
                   });
  clock = &http.clock;
  const auto run_many = [&] {
    std::vector<std::promise<bool>> promises(20);
    for (auto& promise : promises) {
      http.cas->reconstruct(kFile, std::nullopt, {},
                            [&](auto result) { promise.set_value(result.has_value()); });
    }
    for (auto& promise : promises) EXPECT_TRUE(promise.get_future().get());
  };
  run_many();
  EXPECT_EQ(n_tokens, 1);
  http.clock.advance(std::chrono::seconds(871));
  run_many();
  EXPECT_EQ(n_tokens, 2);
}

TEST(HttpToken, TheEndpointMayComeWithTheToken) {
  HttpFixture http(
      [](const SentRequest& request) {
        if (request.url.starts_with("http://hub.test"))
          return reply(200, R"({"casUrl":"http://real.test/x","exp":99999999999,"accessToken":"T1"})");
        return reply(200, kEmptyPlan);
      },
      [](auto& options) {
        options.endpoint = "";
        options.credentials.refresh_url = "http://hub.test/token";
      });
  EXPECT_EQ(http.cas->name(), "http://real.test/x");
  EXPECT_THAT(http.reconstruct(kFile), IsOk());
  ASSERT_EQ(http.transport->requests().size(), 2u);
  EXPECT_TRUE(http.transport->requests()[1].url.starts_with("http://real.test/x/v2/"));

  HttpCasOptions options;
  options.credentials.refresh_url = "http://hub.test/token";
  options.transport = std::make_shared<testing::FakeTransport>([](const SentRequest&) { return reply(403); });
  EXPECT_THAT(open_http_cas(std::move(options)), FailsWith(ErrorCode::kUnauthorized));
}

}  // namespace
}  // namespace xet::cas
