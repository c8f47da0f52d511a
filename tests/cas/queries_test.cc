#include "cas/queries.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <atomic>

#include "cas/context.h"
#include "cas/http_fixture.h"

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

const std::string kHex(64, 'a');
const FileHash kFile = FileHash::from_hex(kHex).value();
const XorbHash kXorb = XorbHash::from_hex(std::string(64, 'b')).value();
const ChunkHash kChunk = ChunkHash::from_hex(std::string(64, 'c')).value();
const std::string kV1 = "GET /v1/reconstructions/" + kHex;
const std::string kV2 = "GET /v2/reconstructions/" + kHex;
const std::string kHead = "HEAD /v1/files/" + kHex;

std::string answer_v2(uint64_t length = 100) {
  return fmt::format(
      R"({{"offset_into_first_range":3,"terms":[{{"hash":"{0}","unpacked_length":{1},"range":{{"start":0,"end":2}}}}],)"
      R"("xorbs":{{"{0}":[{{"url":"http://storage.test/x?sig=1","ranges":[{{"chunks":{{"start":0,"end":2}},"bytes":{{"start":0,"end":49}}}}]}}]}}}})",
      kXorb.hex(), length);
}
std::string answer_v1() {
  return fmt::format(
      R"({{"offset_into_first_range":0,"terms":[{{"hash":"{0}","unpacked_length":100,"range":{{"start":0,"end":2}}}}],)"
      R"("fetch_info":{{"{0}":[{{"range":{{"start":0,"end":2}},"url":"http://storage.test/y","url_range":{{"start":0,"end":49}}}}]}}}})",
      kXorb.hex());
}

TEST(HttpReconstruct, AsksTheNewerFormWithARange) {
  HttpFixture http([](const SentRequest&) { return reply(200, answer_v2()); });
  const auto out = http.reconstruct(kFile, ByteRange{10, 20});
  ASSERT_THAT(out, IsOk());
  EXPECT_EQ(out->offset_into_first_term, 3u);
  ASSERT_EQ(out->terms.size(), 1u);
  ASSERT_EQ(out->fetches.at(kXorb).size(), 1u);
  EXPECT_EQ(out->fetches.at(kXorb)[0].bytes, (ByteRange{0, 50}));
  EXPECT_NE(out->fetches.at(kXorb)[0].ticket, nullptr);
  const auto sent = http.transport->requests();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].url, "http://cas.test/v2/reconstructions/" + kHex);
  EXPECT_EQ(sent[0].header("Range"), "bytes=10-19");
  EXPECT_EQ(sent[0].header("X-Xet-Session-Id"), "session");
  EXPECT_EQ(sent[0].header("Authorization"), "");
  EXPECT_FALSE(sent[0].has_body);
}

TEST(HttpReconstruct, TheEndpointIsOnlyConcatenated) {
  HttpFixture http([](const SentRequest&) { return reply(200, answer_v2()); },
                   [](auto& options) { options.endpoint = "http://cas.test/prefix/"; });
  ASSERT_THAT(http.reconstruct(kFile), IsOk());
  EXPECT_EQ(http.transport->requests()[0].url, "http://cas.test/prefix//v2/reconstructions/" + kHex);
}

TEST(HttpReconstruct, SendsNothingForNothing) {
  HttpFixture http([](const SentRequest&) { return reply(500); });
  for (const auto& out : {http.reconstruct(FileHash{}), http.reconstruct(kFile, ByteRange{5, 5})}) {
    ASSERT_THAT(out, IsOk());
    EXPECT_TRUE(out->terms.empty());
  }
  EXPECT_EQ(http.file_size(FileHash{}).value(), 0u);
  EXPECT_TRUE(http.transport->requests().empty());
}

TEST(HttpReconstruct, FallsBackToTheOlderFormAndRemembersIt) {
  for (const int status : {404, 501}) {
    HttpFixture http([&](const SentRequest& request) {
      return request.route() == kV2 ? reply(status) : reply(200, answer_v1());
    });
    for (int i = 0; i < 2; ++i) ASSERT_THAT(http.reconstruct(kFile), IsOk());
    EXPECT_THAT(http.transport->routes(), ElementsAre(kV2, kV1, kV1)) << status;
  }
}

TEST(HttpReconstruct, AMissingFileIsRememberedOfNoVersion) {
  std::atomic<bool> exists = false;
  HttpFixture http([&](const SentRequest& request) {
    return exists && request.route() == kV2 ? reply(200, answer_v2()) : reply(404, "no file");
  });
  EXPECT_THAT(http.reconstruct(kFile), FailsWith(ErrorCode::kNotFound, kHex));
  exists = true;
  EXPECT_THAT(http.reconstruct(kFile), IsOk());
  EXPECT_THAT(http.transport->routes(), ElementsAre(kV2, kV1, kV2));
}

TEST(HttpReconstruct, AForcedVersionIsNotLeft) {
  for (const uint64_t version : {1, 2}) {
    HttpFixture http([](const SentRequest&) { return reply(404); },
                     [&](auto& options) { options.reconstruction_api_version = version; });
    EXPECT_THAT(http.reconstruct(kFile), FailsWith(ErrorCode::kNotFound));
    EXPECT_THAT(http.transport->routes(), ElementsAre(version == 1 ? kV1 : kV2));
  }
}

TEST(HttpReconstruct, PastTheEndThereIsNothing) {
  HttpFixture http([](const SentRequest&) { return reply(416); });
  const auto out = http.reconstruct(kFile, ByteRange{100, 200});
  ASSERT_THAT(out, IsOk());
  EXPECT_TRUE(out->terms.empty());
  EXPECT_THAT(http.transport->routes(), ElementsAre(kV2));
}

TEST(HttpReconstruct, NothingAtTheBeginMeansAskingForTheFile) {
  for (const int head : {200, 404, 405, 501}) {
    HttpFixture http(
        [&](const SentRequest& request) { return request.route() == kHead ? reply(head) : reply(416); });
    const auto out = http.reconstruct(kFile, ByteRange{0, 200});
    if (head == 404) {
      EXPECT_THAT(out, FailsWith(ErrorCode::kNotFound, kHex));
    } else {
      ASSERT_THAT(out, IsOk()) << head;
      EXPECT_TRUE(out->terms.empty());
    }
    EXPECT_THAT(http.transport->routes(), ElementsAre(kV2, kHead));
  }
}

struct StatusCase {
  int status;
  size_t n_requests;
  ErrorCode code;
};

TEST(HttpReconstruct, StatusDecides) {
  for (const auto& [status, n_requests, code] : std::vector<StatusCase>{{400, 1, ErrorCode::kRefused},
                                                                        {401, 1, ErrorCode::kUnauthorized},
                                                                        {403, 1, ErrorCode::kUnauthorized},
                                                                        {405, 1, ErrorCode::kRefused},
                                                                        {408, 3, ErrorCode::kUnavailable},
                                                                        {413, 1, ErrorCode::kRefused},
                                                                        {429, 3, ErrorCode::kUnavailable},
                                                                        {500, 3, ErrorCode::kUnavailable},
                                                                        {502, 3, ErrorCode::kUnavailable},
                                                                        {503, 3, ErrorCode::kUnavailable},
                                                                        {504, 3, ErrorCode::kUnavailable},
                                                                        {507, 1, ErrorCode::kRefused}}) {
    HttpFixture http([&](const SentRequest&) { return reply(status, "the\nreason"); },
                     [](auto& options) { options.retry.max_retries = 2; });
    const auto out = http.reconstruct(kFile);
    EXPECT_THAT(out, FailsWith(code)) << status;
    EXPECT_EQ(http.transport->requests().size(), n_requests) << status;
    EXPECT_THAT(out.error().message, HasSubstr("GET /v2/reconstructions/{file} at cas.test"));
    EXPECT_THAT(out.error().message, HasSubstr(fmt::format("{}", status)));
    EXPECT_THAT(out.error().message, HasSubstr("the reason"));
  }
}

TEST(HttpReconstruct, FaultDecides) {
  using net::Fault;
  for (const auto& [what, n_requests] : std::vector<std::pair<Fault, size_t>>{{Fault::kResolve, 3},
                                                                              {Fault::kConnect, 3},
                                                                              {Fault::kTls, 3},
                                                                              {Fault::kNoAnswer, 3},
                                                                              {Fault::kStalled, 3},
                                                                              {Fault::kBroken, 3},
                                                                              {Fault::kCertificate, 1},
                                                                              {Fault::kBadHttp, 1},
                                                                              {Fault::kRedirects, 1},
                                                                              {Fault::kBadRequest, 1},
                                                                              {Fault::kTooLarge, 1}}) {
    HttpFixture http([&, fault_now = what](const SentRequest&) { return fault(fault_now); },
                     [](auto& options) { options.retry.max_retries = 2; });
    EXPECT_THAT(http.reconstruct(kFile), FailsWith(ErrorCode::kUnavailable));
    EXPECT_EQ(http.transport->requests().size(), n_requests) << static_cast<int>(what);
  }
}

TEST(HttpReconstruct, ABrokenBodyIsAskedForAgain) {
  HttpFixture http(
      [](const SentRequest& request) { return reply(200, request.nth == 0 ? "{\"terms\":" : answer_v2()); });
  EXPECT_THAT(http.reconstruct(kFile), IsOk());
  HttpFixture always([](const SentRequest&) { return reply(200, "<html>"); });
  EXPECT_THAT(always.reconstruct(kFile), FailsWith(ErrorCode::kCorruption));
  EXPECT_EQ(always.transport->requests().size(), 6u);
}

TEST(HttpReconstruct, RangesThatCannotBeAreCorruption) {
  auto text = answer_v2();
  text.replace(text.find(R"("end":49)"), 8,
               R"("end":49}},{"chunks":{"start":1,"end":3},"bytes":{"start":20,"end":70)");
  HttpFixture http([&](const SentRequest&) { return reply(200, text); });
  EXPECT_THAT(http.reconstruct(kFile), FailsWith(ErrorCode::kCorruption, kXorb.hex()));
}

TEST(HttpRetry, ClimbsTheLadderAndTellsOfIt) {
  HttpFixture http([](const SentRequest&) { return reply(503); });
  EXPECT_THAT(http.reconstruct(kFile), FailsWith(ErrorCode::kUnavailable, "(6 attempts)"));
  const auto lines = http.trouble();
  ASSERT_EQ(lines.size(), 5u);
  EXPECT_THAT(lines[0], HasSubstr("trying again in 1.5 s (1 of 5)"));
  EXPECT_THAT(lines[4], HasSubstr("trying again in 121.5 s (5 of 5)"));
}

TEST(HttpRetry, WaitsAsLongAsTheServerAsks) {
  HttpFixture http([](const SentRequest& request) {
    return request.nth == 0 ? reply(429, "", {{"Retry-After", "17"}}) : reply(200, answer_v2());
  });
  EXPECT_THAT(http.reconstruct(kFile), IsOk());
  EXPECT_THAT(http.trouble(), ElementsAre(HasSubstr("trying again in 17.0 s")));
}

TEST(HttpRetry, AStopEndsASleepAtOnce) {
  std::stop_source stop;
  // The clock stands still here: the sleep would never end.
  HttpFixture http([&](const SentRequest&) { return reply(503, "", {{"Retry-After", "600"}}); });
  std::promise<Result<Reconstruction>> promise;
  http.cas->reconstruct(kFile, std::nullopt, stop.get_token(),
                        [&](Result<Reconstruction> result) { promise.set_value(std::move(result)); });
  while (http.trouble().empty()) std::this_thread::yield();
  stop.request_stop();
  EXPECT_THAT(promise.get_future().get(), FailsWith(ErrorCode::kCancelled));
}

TEST(HttpRetry, AStoppedCallSendsNothing) {
  std::stop_source stop;
  stop.request_stop();
  HttpFixture http([&](const SentRequest&) { return reply(200, answer_v2()); });
  const auto out = http.run<Reconstruction>(
      [&](auto done) { http.cas->reconstruct(kFile, std::nullopt, stop.get_token(), std::move(done)); });
  EXPECT_THAT(out, FailsWith(ErrorCode::kCancelled));
  EXPECT_TRUE(http.transport->requests().empty());
}

TEST(HttpFileSize, ComesFromTheHead) {
  HttpFixture http([](const SentRequest&) { return reply(200, "", {{"content-length", "1234567890123"}}); });
  EXPECT_EQ(http.file_size(kFile).value(), 1234567890123u);
  EXPECT_THAT(http.transport->routes(), ElementsAre(kHead));
}

TEST(HttpFileSize, ComesFromTheTermsWhereThereIsNoSuchRoute) {
  for (const int status : {404, 405, 501}) {
    HttpFixture http([&](const SentRequest& request) {
      return request.method == "HEAD" ? reply(status) : reply(200, answer_v2(77));
    });
    EXPECT_EQ(http.file_size(kFile).value(), 77u);
    EXPECT_EQ(http.file_size(kFile).value(), 77u);
    if (status == 404) {
      EXPECT_THAT(http.transport->routes(), ElementsAre(kHead, kV2, kV2));
    }
    EXPECT_EQ(http.transport->requests()[1].header("Range"), "");
  }
}

TEST(HttpFileSize, AMissingFileIsNotFound) {
  HttpFixture service([](const SentRequest&) { return reply(404); });
  EXPECT_THAT(service.file_size(kFile), FailsWith(ErrorCode::kNotFound, kHex));
  HttpFixture test_server(
      [](const SentRequest& request) { return reply(request.method == "HEAD" ? 404 : 416); });
  EXPECT_THAT(test_server.file_size(kFile), FailsWith(ErrorCode::kNotFound, kHex));
}

TEST(HttpDedup, GivesTheShard) {
  HttpFixture http([](const SentRequest&) { return reply(200, "shard"); });
  const auto answer = http.query_dedup(kChunk);
  ASSERT_THAT(answer, IsOk());
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ(as_chars(**answer), "shard");
  EXPECT_THAT(http.transport->routes(), ElementsAre("GET /v1/chunks/default/" + kChunk.hex()));
}

TEST(HttpDedup, NothingFailsAndNothingTakesLong) {
  for (const auto& [answer, n_requests] :
       std::vector<std::pair<Reply, size_t>>{{reply(404), 1},
                                             {reply(429), 1},
                                             {reply(400), 1},
                                             {reply(401), 1},
                                             {reply(403), 1},
                                             {reply(204), 1},
                                             {reply(302), 1},
                                             {reply(500), 2},
                                             {reply(503), 2},
                                             {reply(200, ""), 1},
                                             {fault(net::Fault::kConnect), 2},
                                             {fault(net::Fault::kBadHttp), 1}}) {
    HttpFixture http([&, now = answer](const SentRequest&) { return now; });
    const auto out = http.query_dedup(kChunk);
    ASSERT_THAT(out, IsOk()) << answer.status;
    EXPECT_FALSE(out->has_value());
    EXPECT_EQ(http.transport->requests().size(), n_requests) << answer.status;
  }
}

TEST(HttpDedup, AStopIsTold) {
  std::stop_source stop;
  HttpFixture http([&](const SentRequest&) {
    stop.request_stop();
    auto out = reply(200);
    out.hangs = true;
    return out;
  });
  EXPECT_THAT((http.run<std::optional<ByteVector>>(
                  [&](auto done) { http.cas->query_dedup(kChunk, stop.get_token(), std::move(done)); })),
              FailsWith(ErrorCode::kCancelled));
}

TEST(HttpXorbExists, AsksByHead) {
  HttpFixture http([](const SentRequest& request) {
    return reply(request.nth == 0 ? 200 : request.nth == 1 ? 404 : 403);
  });
  const auto ask = [&] {
    return http.run<bool>([&](auto done) { http.cas->xorb_exists(kXorb, {}, std::move(done)); });
  };
  EXPECT_TRUE(ask().value());
  EXPECT_FALSE(ask().value());
  EXPECT_THAT(ask(), FailsWith(ErrorCode::kUnauthorized, kXorb.hex()));
  EXPECT_EQ(http.transport->routes()[0], "HEAD /v1/xorbs/default/" + kXorb.hex());
}

TEST(HttpBatch, AsksForSeveralFilesAtOnce) {
  const auto transport = std::make_shared<testing::FakeTransport>([](const SentRequest&) {
    auto text = answer_v1();
    const auto terms = text.find("\"terms\":") + 8;
    const auto list = text.substr(terms, text.find(",\"fetch_info\"") - terms);
    return reply(200, fmt::format(R"({{"files":{{"{}":{}}},{}}})", kHex, list.substr(0, list.size()),
                                  text.substr(text.find("\"fetch_info\""),
                                              text.size() - text.find("\"fetch_info\"") - 1)));
  });
  HttpCasOptions options;
  options.endpoint = "http://cas.test";
  options.transport = transport;
  options.random = [] { return 0.5; };
  HttpContext context(std::move(options));
  context.tokens = std::make_unique<TokenSource>(std::nullopt, TokenSource::Refresh{}, system_clock());
  std::promise<Result<std::vector<std::pair<FileHash, Reconstruction>>>> promise;
  ask_reconstructions(context, {kFile, FileHash::from_hex(std::string(64, 'd')).value()}, {},
                      [&](auto result) { promise.set_value(std::move(result)); });
  const auto out = promise.get_future().get();
  context.in_flight.wait();
  ASSERT_THAT(out, IsOk());
  ASSERT_EQ(out->size(), 1u);
  EXPECT_EQ(out->at(0).first, kFile);
  EXPECT_EQ(out->at(0).second.fetches.at(kXorb).size(), 1u);
  EXPECT_EQ(transport->requests()[0].path(),
            "/v1/reconstructions?file_id=" + kHex + "&file_id=" + std::string(64, 'd'));
}

TEST(OpenHttpCas, RefusesOptionsThatMakeNoSense) {
  const auto open = [](auto edit) {
    HttpCasOptions options;
    options.endpoint = "http://cas.test";
    options.transport =
        std::make_shared<testing::FakeTransport>([](const SentRequest&) { return reply(500); });
    edit(options);
    return open_http_cas(std::move(options));
  };
  EXPECT_THAT(open([](auto&) {}), IsOk());
  for (const auto* endpoint : {"", "cas.test", "ftp://cas.test", "http://cas.test/ x"})
    EXPECT_THAT(open([&](auto& options) { options.endpoint = endpoint; }),
                FailsWith(ErrorCode::kInvalidArgument));
  EXPECT_THAT(open([](auto& options) { options.transport.reset(); }), FailsWith(ErrorCode::kInvalidArgument));
  EXPECT_THAT(open([](auto& options) { options.reconstruction_api_version = 3; }),
              FailsWith(ErrorCode::kInvalidArgument));
  EXPECT_THAT(open([](auto& options) { options.shard_api_version = 0; }),
              FailsWith(ErrorCode::kInvalidArgument));
  const auto split = open([](auto& options) { options.credentials.token = AccessToken{"secret\r\nX: y"}; });
  ASSERT_THAT(split, FailsWith(ErrorCode::kUnauthorized));
  EXPECT_THAT(split.error().message, Not(HasSubstr("secret")));
}

TEST(OpenHttpCas, KeepsShardsWhereTheGenuineClientDoes) {
  HttpFixture http([](const SentRequest&) { return reply(500); },
                   [](auto& options) {
                     options.endpoint = "http://localhost:8080";
                     options.cache_root = "/cache";
                   });
  EXPECT_EQ(http.cas->shard_places().cache, "/cache/http___localhost-tjla_2j1u1NqFThu/shard-cache");
  EXPECT_EQ(http.cas->shard_places().staging, "/cache/http___localhost-tjla_2j1u1NqFThu/staging");
  EXPECT_EQ(http.cas->name(), "http://localhost:8080");
}

}  // namespace
}  // namespace xet::cas
