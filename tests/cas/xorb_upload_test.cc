#include <fmt/format.h>
#include <gmock/gmock.h>

#include <string>

#include "cas/http_fixture.h"
#include "codec/crc64.h"

namespace xet::cas {
namespace {

using ::testing::ElementsAre;
using testing::FailsWith;
using testing::fault;
using ::testing::HasSubstr;
using testing::HttpFixture;
using testing::IsOk;
using ::testing::Not;
using testing::Reply;
using testing::reply;
using testing::SentRequest;

const std::string kHex(64, 'b');
const XorbHash kXorb = XorbHash::from_hex(kHex).value();
const std::string kBody = "the packed chunks of a xorb";
const std::string kGrant = "POST /v1/xorb-grants/default/" + kHex;
const std::string kPut = "PUT /put";
const std::string kCommit = "POST /v1/xorb-commits/default/" + kHex + "/grant/7";
const std::string kPost = "POST /v1/xorbs/default/" + kHex;

const std::string kGrantText =
    R"({"id":"7","method":"PUT","url":"http://storage.test/put?sig=SECRET","headers":{"if-none-match":"*","X-Custom":"theirs"}})";

/// What the server answers to each kind of request; all well unless a test says otherwise.
struct Script {
  std::function<Reply(size_t nth)> grant = [](size_t) { return reply(201, kGrantText); };
  std::function<Reply(size_t nth)> put = [](size_t) { return reply(200); };
  std::function<Reply(size_t nth)> commit = [](size_t) { return reply(200); };
  std::function<Reply(size_t nth)> post = [](size_t) { return reply(200, R"({"was_inserted":true})"); };

  Reply operator()(const SentRequest& request) const {
    const auto route = request.route();
    if (route == kGrant) return grant(request.nth_of_path);
    if (route == kPut) return put(request.nth_of_path);
    if (route == kCommit) return commit(request.nth_of_path);
    return route == kPost ? post(request.nth_of_path) : reply(599, "unexpected " + route);
  }
};
auto always(Reply answer) {
  return [answer](size_t) { return answer; };
}
void two_tries(HttpCasOptions& options) {
  options.retry.max_retries = 1;
}

TEST(HttpPutXorb, GrantUploadCommit) {
  HttpFixture http(Script{}, [](auto& options) {
    options.credentials.token = AccessToken{"TOKEN"};
    options.headers = {{"X-Custom", "ours"}};
    options.user_agent = "test/1";
  });
  const auto out = http.put_xorb(kXorb, kBody);
  ASSERT_THAT(out, IsOk());
  EXPECT_TRUE(out->was_inserted);
  EXPECT_EQ(out->sent_bytes, kBody.size());
  const auto sent = http.transport->requests();
  ASSERT_THAT(http.transport->routes(), ElementsAre(kGrant, kPut, kCommit));
  EXPECT_EQ(sent[0].header("Authorization"), "Bearer TOKEN");
  EXPECT_EQ(sent[0].header("Content-Type"), "application/json");
  EXPECT_EQ(sent[0].body, fmt::format(R"({{"length":{},"checksum":{{"algo":"crc64nvme","value":"{}"}}}})",
                                      kBody.size(), codec::crc64(as_byte_span(kBody))));
  EXPECT_EQ(sent[1].url, "http://storage.test/put?sig=SECRET");
  EXPECT_EQ(sent[1].body, kBody);
  EXPECT_EQ(sent[1].header("Authorization"), "");
  EXPECT_EQ(sent[1].header("Content-Type"), "");
  EXPECT_EQ(sent[1].header("If-None-Match"), "*");
  EXPECT_EQ(sent[1].header("X-Custom"), "theirs");
  EXPECT_EQ(sent[1].header("User-Agent"), "test/1");
  EXPECT_EQ(sent[1].header("X-Xet-Session-Id"), "session");
  EXPECT_EQ(sent[2].header("Authorization"), "Bearer TOKEN");
  EXPECT_FALSE(sent[2].has_body);
}

TEST(HttpPutXorb, AnExistingXorbCostsNoBytes) {
  HttpFixture http(Script{.grant = always(reply(200))});
  const auto out = http.put_xorb(kXorb, kBody);
  ASSERT_THAT(out, IsOk());
  EXPECT_FALSE(out->was_inserted);
  EXPECT_EQ(out->sent_bytes, 0u);
  EXPECT_THAT(http.transport->routes(), ElementsAre(kGrant));
}

TEST(HttpPutXorb, WithoutGrantsOnePost) {
  HttpFixture http(Script{.grant = always(reply(404)), .post = [](size_t nth) {
                            return reply(200,
                                         nth == 0 ? R"({"was_inserted":true})" : R"({"was_inserted":false})");
                          }});
  const auto out = http.put_xorb(kXorb, kBody);
  ASSERT_THAT(out, IsOk());
  EXPECT_TRUE(out->was_inserted);
  EXPECT_EQ(out->sent_bytes, kBody.size());
  EXPECT_EQ(http.transport->requests()[1].body, kBody);
  EXPECT_EQ(http.transport->requests()[1].header("Content-Type"), "");
  // remembered, for a while
  const auto again = http.put_xorb(kXorb, kBody);
  ASSERT_THAT(again, IsOk());
  EXPECT_FALSE(again->was_inserted);
  EXPECT_EQ(again->sent_bytes, kBody.size());
  EXPECT_THAT(http.transport->routes(), ElementsAre(kGrant, kPost, kPost));
  http.clock.advance(std::chrono::minutes(5));
  EXPECT_THAT(http.put_xorb(kXorb, kBody), IsOk());
  EXPECT_EQ(http.transport->n_requests(kGrant), 2u);
}

TEST(HttpPutXorb, TheOldWayWhenTold) {
  HttpFixture http(Script{}, [](auto& options) { options.legacy_direct_xorb_upload = true; });
  EXPECT_THAT(http.put_xorb(kXorb, kBody), IsOk());
  EXPECT_THAT(http.transport->routes(), ElementsAre(kPost));
}

TEST(HttpPutXorb, GrantRequestStatusDecides) {
  for (const auto& [status, n_requests, code] :
       std::vector<std::tuple<int, size_t, ErrorCode>>{{202, 1, ErrorCode::kCorruption},
                                                       {204, 1, ErrorCode::kCorruption},
                                                       {302, 1, ErrorCode::kCorruption},
                                                       {400, 1, ErrorCode::kRefused},
                                                       {401, 1, ErrorCode::kUnauthorized},
                                                       {403, 1, ErrorCode::kUnauthorized},
                                                       {405, 1, ErrorCode::kRefused},
                                                       {409, 1, ErrorCode::kRefused},
                                                       {413, 1, ErrorCode::kRefused},
                                                       {501, 1, ErrorCode::kRefused},
                                                       {507, 1, ErrorCode::kRefused},
                                                       {408, 2, ErrorCode::kUnavailable},
                                                       {429, 2, ErrorCode::kUnavailable},
                                                       {500, 2, ErrorCode::kUnavailable},
                                                       {503, 2, ErrorCode::kUnavailable}}) {
    HttpFixture http(Script{.grant = always(reply(status))}, two_tries);
    EXPECT_THAT(http.put_xorb(kXorb, kBody), FailsWith(code, kHex)) << status;
    EXPECT_EQ(http.transport->requests().size(), n_requests) << status;
  }
}

TEST(HttpPutXorb, AGrantThatCannotBeReadIsAskedForAgain) {
  HttpFixture http(Script{.grant = [](size_t nth) { return reply(201, nth == 0 ? "{}" : kGrantText); }});
  EXPECT_THAT(http.put_xorb(kXorb, kBody), IsOk());
  EXPECT_EQ(http.transport->n_requests(kGrant), 2u);
}

TEST(HttpPutXorb, AGrantThatCannotBeUsed) {
  const auto with = [](const std::string& from, const std::string& to) {
    auto text = kGrantText;
    text.replace(text.find(from), from.size(), to);
    return Script{.grant = always(reply(201, text))};
  };
  for (const auto& script : {with("http://storage.test", "ftp://storage.test"), with("PUT", "P T"),
                             with("if-none-match", "if none match"), with("\"*\"", R"("a\r\nb")")}) {
    HttpFixture http(script);
    EXPECT_THAT(http.put_xorb(kXorb, kBody), IsOk());
    EXPECT_THAT(http.transport->routes(), ElementsAre(kGrant, kPost));
  }
  for (const auto* id : {"", ".", ".."}) {
    HttpFixture http(with("\"7\"", fmt::format("\"{}\"", id)));
    EXPECT_THAT(http.put_xorb(kXorb, kBody), FailsWith(ErrorCode::kCorruption));
  }
}

TEST(HttpPutXorb, TheIdIsOneSegmentOfTheCommit) {
  auto text = kGrantText;
  text.replace(text.find("\"7\""), 3, "\"../a?b#c\"");
  HttpFixture http([&](const SentRequest& request) {
    const auto route = request.route();
    return route == kGrant ? reply(201, text) : reply(200);
  });
  EXPECT_THAT(http.put_xorb(kXorb, kBody), IsOk());
  EXPECT_EQ(http.transport->requests()[2].path(),
            "/v1/xorb-commits/default/" + kHex + "/grant/..%2Fa%3Fb%23c");
}

TEST(HttpPutXorb, GrantUploadStatusDecides) {
  enum class Then : uint8_t { kCommits, kGetsNewGrant, kPosts };
  // requests of each kind with one retry and two grants
  for (const auto& [status, n_puts, then] :
       std::vector<std::tuple<int, size_t, Then>>{{200, 1, Then::kCommits},
                                                  {201, 1, Then::kCommits},
                                                  {204, 1, Then::kCommits},
                                                  {412, 1, Then::kCommits},
                                                  {400, 2, Then::kGetsNewGrant},
                                                  {403, 2, Then::kGetsNewGrant},
                                                  {409, 4, Then::kGetsNewGrant},
                                                  {401, 1, Then::kPosts},
                                                  {404, 1, Then::kPosts},
                                                  {405, 1, Then::kPosts},
                                                  {413, 1, Then::kPosts},
                                                  {501, 1, Then::kPosts},
                                                  {408, 2, Then::kPosts},
                                                  {429, 2, Then::kPosts},
                                                  {500, 2, Then::kPosts},
                                                  {503, 2, Then::kPosts}}) {
    HttpFixture http(Script{.put = always(reply(status, "SECRET"))}, [](auto& options) {
      two_tries(options);
      options.max_xorb_grant_attempts = 2;
    });
    const auto out = http.put_xorb(kXorb, kBody);
    ASSERT_THAT(out, IsOk()) << status;
    EXPECT_EQ(out->sent_bytes, kBody.size());
    EXPECT_EQ(http.transport->n_requests(kPut), n_puts) << status;
    EXPECT_EQ(http.transport->n_requests(kGrant), then == Then::kGetsNewGrant ? 2u : 1u) << status;
    EXPECT_EQ(http.transport->n_requests(kCommit), then == Then::kCommits ? 1u : 0u) << status;
    EXPECT_EQ(http.transport->n_requests(kPost), then == Then::kCommits ? 0u : 1u) << status;
    for (const auto& line : http.trouble()) EXPECT_THAT(line, Not(HasSubstr("SECRET")));
  }
}

TEST(HttpPutXorb, AStorageOutOfReachIsNotTriedForEveryXorb) {
  HttpFixture http(Script{.put = always(fault(net::Fault::kConnect))}, two_tries);
  EXPECT_THAT(http.put_xorb(kXorb, kBody), IsOk());
  EXPECT_THAT(http.put_xorb(kXorb, kBody), IsOk());
  EXPECT_THAT(http.transport->routes(), ElementsAre(kGrant, kPut, kPut, kPost, kPost));
}

TEST(HttpPutXorb, ABrokenStorageIsTriedAgainForTheNextXorb) {
  HttpFixture http(Script{.put = always(fault(net::Fault::kBroken))}, two_tries);
  for (int i = 0; i < 2; ++i) EXPECT_THAT(http.put_xorb(kXorb, kBody), IsOk());
  EXPECT_EQ(http.transport->n_requests(kGrant), 2u);
}

TEST(HttpPutXorb, CommitStatusDecides) {
  for (const auto& [status, n_commits, code] :
       std::vector<std::tuple<int, size_t, ErrorCode>>{{400, 1, ErrorCode::kRefused},
                                                       {401, 1, ErrorCode::kUnauthorized},
                                                       {403, 1, ErrorCode::kUnauthorized},
                                                       {409, 1, ErrorCode::kRefused},
                                                       {501, 1, ErrorCode::kRefused},
                                                       {302, 1, ErrorCode::kCorruption},
                                                       {408, 2, ErrorCode::kUnavailable},
                                                       {429, 2, ErrorCode::kUnavailable},
                                                       {500, 2, ErrorCode::kUnavailable}}) {
    HttpFixture http(Script{.commit = always(reply(status))}, two_tries);
    EXPECT_THAT(http.put_xorb(kXorb, kBody), FailsWith(code, kHex)) << status;
    EXPECT_EQ(http.transport->n_requests(kCommit), n_commits) << status;
    EXPECT_EQ(http.transport->n_requests(kPost), 0u);
  }
}

TEST(HttpPutXorb, ACommitWithoutUploadTakesANewGrant) {
  HttpFixture once(Script{.commit = [](size_t nth) { return reply(nth == 0 ? 404 : 200); }});
  const auto out = once.put_xorb(kXorb, kBody);
  ASSERT_THAT(out, IsOk());
  EXPECT_EQ(out->sent_bytes, 2 * kBody.size());
  EXPECT_THAT(once.transport->routes(), ElementsAre(kGrant, kPut, kCommit, kGrant, kPut, kCommit));

  for (const size_t attempts : {0, 1, 3}) {
    HttpFixture always_404(Script{.commit = always(reply(404))},
                           [&](auto& options) { options.max_xorb_grant_attempts = attempts; });
    ASSERT_THAT(always_404.put_xorb(kXorb, kBody), IsOk());
    EXPECT_EQ(always_404.transport->n_requests(kGrant), std::max<size_t>(attempts, 1));
    EXPECT_EQ(always_404.transport->routes().back(), kPost);
  }
}

TEST(HttpPutXorb, PostStatusDecides) {
  for (const auto& [status, n_requests, code] :
       std::vector<std::tuple<int, size_t, ErrorCode>>{{400, 1, ErrorCode::kRefused},
                                                       {401, 1, ErrorCode::kUnauthorized},
                                                       {403, 1, ErrorCode::kUnauthorized},
                                                       {404, 1, ErrorCode::kNotFound},
                                                       {409, 1, ErrorCode::kRefused},
                                                       {413, 1, ErrorCode::kRefused},
                                                       {501, 1, ErrorCode::kRefused},
                                                       {507, 1, ErrorCode::kRefused},
                                                       {408, 2, ErrorCode::kUnavailable},
                                                       {429, 2, ErrorCode::kUnavailable},
                                                       {500, 2, ErrorCode::kUnavailable},
                                                       {503, 2, ErrorCode::kUnavailable}}) {
    HttpFixture http(Script{.post = always(reply(status))}, [](auto& options) {
      two_tries(options);
      options.legacy_direct_xorb_upload = true;
    });
    EXPECT_THAT(http.put_xorb(kXorb, kBody), FailsWith(code, kHex)) << status;
    EXPECT_EQ(http.transport->requests().size(), n_requests) << status;
  }
  for (const auto* text : {"", "{}", R"({"was_inserted":1})", "<html>"}) {
    HttpFixture http(Script{.post = always(reply(200, text))}, [](auto& options) {
      two_tries(options);
      options.legacy_direct_xorb_upload = true;
    });
    EXPECT_THAT(http.put_xorb(kXorb, kBody), FailsWith(ErrorCode::kCorruption)) << text;
    EXPECT_EQ(http.transport->requests().size(), 2u) << text;
  }
}

TEST(HttpPutXorb, OnePermitForAllOfIt) {
  std::atomic<int> running = 0;
  std::atomic<int> most = 0;
  HttpFixture http(
      [&](const SentRequest& request) {
        if (request.route() == kGrant) most = std::max(most.load(), ++running);
        if (request.route() == kCommit) --running;
        return Script{}(request);
      },
      [](auto& options) { options.uploads = {.initial = 1, .min = 1, .max = 1}; });
  std::vector<std::promise<Result<PutXorbOutcome>>> promises(6);
  for (auto& promise : promises) {
    http.cas->put_xorb({.hash = kXorb, .pieces = {as_byte_span(kBody)}, .size_bytes = kBody.size()}, {},
                       [&](auto result) { promise.set_value(std::move(result)); });
  }
  for (auto& promise : promises) EXPECT_THAT(promise.get_future().get(), IsOk());
  EXPECT_EQ(most, 1);
}

TEST(HttpPutXorb, AStopEndsItAnywhere) {
  for (const auto& where : {kGrant, kPut, kCommit, kPost}) {
    std::stop_source stop;
    HttpFixture http([&](const SentRequest& request) {
      if (request.route() == where) {
        auto out = reply(200);
        out.hangs = true;
        out.before = [&] { stop.request_stop(); };
        return out;
      }
      return Script{.grant = always(where == kPost ? reply(404) : reply(201, kGrantText))}(request);
    });
    EXPECT_THAT(http.run<PutXorbOutcome>([&](auto done) {
      http.cas->put_xorb({.hash = kXorb, .pieces = {as_byte_span(kBody)}, .size_bytes = kBody.size()},
                         stop.get_token(), std::move(done));
    }),
                FailsWith(ErrorCode::kCancelled))
        << where;
  }
}

}  // namespace
}  // namespace xet::cas
