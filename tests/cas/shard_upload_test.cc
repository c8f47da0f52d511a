#include <gmock/gmock.h>

#include <string>

#include "cas/http_fixture.h"

namespace xet::cas {
namespace {

using ::testing::ElementsAre;
using testing::FailsWith;
using testing::HttpFixture;
using testing::IsOk;
using testing::reply;
using testing::SentRequest;

const std::string kV1 = "POST /v1/shards";
const std::string kV2 = "POST /v2/shards";
const std::string kDone = "{\"type\":\"validating\",\"verified\":0,\"total\":1}\n{\"type\":\"result\"}\n";
const std::string kBody = "the shard";

void two_tries(HttpCasOptions& options) {
  options.retry.max_retries = 1;
}

TEST(HttpPutShard, SendsItAndReadsTheFrames) {
  HttpFixture http([](const SentRequest&) {
    auto out = reply(200, kDone);
    out.piece_bytes = 3;
    return out;
  });
  EXPECT_THAT(http.put_shard(kBody), IsOk());
  const auto sent = http.transport->requests();
  ASSERT_THAT(http.transport->routes(), ElementsAre(kV2));
  EXPECT_EQ(sent[0].body, kBody);
  EXPECT_EQ(sent[0].header("Content-Type"), "");
  EXPECT_EQ(sent[0].patience.stall, std::chrono::seconds(60));
}

TEST(HttpPutShard, FallsBackAndRemembersIt) {
  for (const int status : {404, 501}) {
    HttpFixture http([&](const SentRequest& request) {
      return request.route() == kV2 ? reply(status) : reply(200, R"({"result":0,"shard_hash":"x"})");
    });
    for (int i = 0; i < 2; ++i) EXPECT_THAT(http.put_shard(kBody), IsOk());
    EXPECT_THAT(http.transport->routes(), ElementsAre(kV2, kV1, kV1));
    EXPECT_EQ(http.transport->requests()[1].body, kBody);
    EXPECT_EQ(http.transport->requests()[1].patience.first_byte, net::Patience::kForever);
  }
}

TEST(HttpPutShard, AForcedVersionIsNotLeft) {
  HttpFixture newer([](const SentRequest&) { return reply(404); },
                    [](auto& options) { options.shard_api_version = 2; });
  EXPECT_THAT(newer.put_shard(kBody), FailsWith(ErrorCode::kNotFound));
  EXPECT_THAT(newer.transport->routes(), ElementsAre(kV2));
  HttpFixture older([](const SentRequest&) { return reply(200, R"({"result":1})"); },
                    [](auto& options) { options.shard_api_version = 1; });
  EXPECT_THAT(older.put_shard(kBody), IsOk());
  EXPECT_THAT(older.transport->routes(), ElementsAre(kV1));
}

TEST(HttpPutShard, StatusDecides) {
  for (const uint64_t version : {1, 2}) {
    for (const auto& [status, n_requests, code] :
         std::vector<std::tuple<int, size_t, ErrorCode>>{{400, 1, ErrorCode::kRefused},
                                                         {401, 1, ErrorCode::kUnauthorized},
                                                         {403, 1, ErrorCode::kUnauthorized},
                                                         {409, 1, ErrorCode::kRefused},
                                                         {413, 1, ErrorCode::kRefused},
                                                         {507, 1, ErrorCode::kRefused},
                                                         {408, 2, ErrorCode::kUnavailable},
                                                         {429, 2, ErrorCode::kUnavailable},
                                                         {500, 2, ErrorCode::kUnavailable},
                                                         {503, 2, ErrorCode::kUnavailable}}) {
      HttpFixture http([&, now = status](const SentRequest&) { return reply(now, "for\r\nthis reason"); },
                       [&, forced = version](auto& options) {
                         two_tries(options);
                         options.shard_api_version = forced;
                       });
      const auto out = http.put_shard(kBody);
      EXPECT_THAT(out, FailsWith(code, "for this reason")) << version << " " << status;
      EXPECT_EQ(http.transport->requests().size(), n_requests) << version << " " << status;
    }
  }
}

TEST(HttpPutShard, AMissingXorbIsNotFound) {
  const std::string text = "xorb 0123 is not in the store; upload it first";
  for (const auto& answer : {reply(400, text), reply(404, text), reply(409, text),
                             reply(200, "{\"type\":\"error\",\"message\":\"" + text + "\"}\n")}) {
    HttpFixture http([&](const SentRequest&) { return answer; });
    EXPECT_THAT(http.put_shard(kBody), FailsWith(ErrorCode::kNotFound, "0123")) << answer.status;
    EXPECT_THAT(http.transport->routes(), ElementsAre(kV2));
  }
  // in the older form too; a path that does not exist is no xorb
  HttpFixture older(
      [&](const SentRequest& request) { return reply(request.route() == kV2 ? 404 : 400, text); });
  EXPECT_THAT(older.put_shard(kBody), FailsWith(ErrorCode::kNotFound));
  HttpFixture no_cas([&](const SentRequest&) { return reply(404, "not found"); });
  EXPECT_THAT(no_cas.put_shard(kBody), FailsWith(ErrorCode::kRefused));
}

TEST(HttpPutShard, AnErrorFrameDecides) {
  HttpFixture fatal(
      [](const SentRequest&) { return reply(200, "{\"type\":\"error\",\"message\":\"no\\nway\"}\n"); });
  EXPECT_THAT(fatal.put_shard(kBody), FailsWith(ErrorCode::kRefused, "no way"));
  EXPECT_THAT(fatal.transport->routes(), ElementsAre(kV2));
  HttpFixture passing([](const SentRequest& request) {
    return reply(200,
                 request.nth == 0 ? "{\"type\":\"error\",\"message\":\"busy\",\"retryable\":true}\n" : kDone);
  });
  EXPECT_THAT(passing.put_shard(kBody), IsOk());
  HttpFixture lasting(
      [](const SentRequest&) {
        return reply(200, "{\"type\":\"error\",\"message\":\"busy\",\"retryable\":true}\n");
      },
      two_tries);
  EXPECT_THAT(lasting.put_shard(kBody), FailsWith(ErrorCode::kUnavailable, "busy"));
  EXPECT_THAT(lasting.transport->routes(), ElementsAre(kV2, kV2));
}

TEST(HttpPutShard, ABrokenStreamIsSentAgainABadOneIsNot) {
  HttpFixture broken([](const SentRequest& request) {
    auto out = reply(200, request.nth == 0 ? kDone.substr(0, 50) : kDone);
    if (request.nth == 0) out.fault = net::Fault::kBroken;
    return out;
  });
  EXPECT_THAT(broken.put_shard(kBody), IsOk());
  for (const auto* text : {"", "nonsense\n", "{\"type\":\"validating\",\"verified\":0,\"total\":1}\n"}) {
    HttpFixture bad([&](const SentRequest&) { return reply(200, text); });
    EXPECT_THAT(bad.put_shard(kBody), FailsWith(ErrorCode::kCorruption)) << text;
    EXPECT_THAT(bad.transport->routes(), ElementsAre(kV2));
  }
}

TEST(HttpPutShard, TheOutcomeCountsThoughTheStreamBreaks) {
  HttpFixture http([](const SentRequest&) {
    auto out = reply(200, kDone);
    out.fault = net::Fault::kStalled;
    return out;
  });
  EXPECT_THAT(http.put_shard(kBody), IsOk());
  HttpFixture endless([](const SentRequest&) { return reply(200, kDone + std::string(1 << 20, ' ')); });
  EXPECT_THAT(endless.put_shard(kBody), IsOk());
}

TEST(HttpPutShard, OlderAnswersAreChecked) {
  for (const auto* text : {"", "{}", R"({"result":2})", R"({"result":true})"}) {
    HttpFixture http([&](const SentRequest&) { return reply(200, text); },
                     [](auto& options) {
                       two_tries(options);
                       options.shard_api_version = 1;
                     });
    EXPECT_THAT(http.put_shard(kBody), FailsWith(ErrorCode::kCorruption)) << text;
    EXPECT_EQ(http.transport->requests().size(), 2u);
  }
}

}  // namespace
}  // namespace xet::cas
