#include <fmt/format.h>
#include <gmock/gmock.h>

#include <atomic>
#include <string>
#include <thread>

#include "cas/http_fixture.h"
#include "cas/http_range.h"

namespace xet::cas {
namespace {

using ::testing::ElementsAre;
using testing::FailsWith;
using ::testing::HasSubstr;
using testing::HttpFixture;
using testing::IsOk;
using ::testing::Not;
using testing::Reply;
using testing::reply;
using testing::SentRequest;
using ::testing::SizeIs;

const FileHash kFile = FileHash::from_hex(std::string(64, 'a')).value();
const XorbHash kXorb = XorbHash::from_hex(std::string(64, 'b')).value();

/// The bytes of the xorb in the storage.
std::string xorb_bytes() {
  std::string out;
  for (size_t i = 0; i < 5000; ++i) out += static_cast<char>('a' + i * 7 % 23);
  return out;
}
const std::string kBytes = xorb_bytes();
const ByteRange kRange{1000, 4000};

/// One range, or two that touch, with URLs that tell their generation.
std::string reconstruction(size_t generation, bool is_split = false) {
  const auto range = [](int begin, int end, int byte, int last) {
    return fmt::format(R"({{"chunks":{{"start":{},"end":{}}},"bytes":{{"start":{},"end":{}}}}})", begin, end,
                       byte, last);
  };
  const auto ranges =
      is_split ? range(0, 2, 1000, 1999) + "," + range(2, 4, 2000, 3999) : range(0, 4, 1000, 3999);
  return fmt::format(
      R"({{"offset_into_first_range":0,"terms":[{{"hash":"{0}","unpacked_length":9000,"range":{{"start":0,"end":4}}}}],)"
      R"("xorbs":{{"{0}":[{{"url":"http://storage.test/x?sig=SECRET{1}","ranges":[{2}]}}]}}}})",
      kXorb.hex(), generation, ranges);
}

ByteRange asked(const SentRequest& request) {
  const auto value = request.header("Range");
  const auto parsed = parse_content_range("bytes " + value.substr(6) + "/*");
  return parsed.value().bytes;
}
/// As a storage answers that does what it should.
Reply right_answer(const SentRequest& request) {
  const auto range = asked(request);
  return reply(206, kBytes.substr(range.begin, range.size()),
               {{"Content-Range", fmt::format("bytes {}-{}/{}", range.begin, range.end - 1, kBytes.size())}});
}
Reply broken_after(Reply answer, size_t n_bytes) {
  answer.body.resize(n_bytes);
  answer.fault = net::Fault::kBroken;
  return answer;
}

/// A CAS whose storage a test scripts; `nth` counts requests to the storage.
class Storage {
 public:
  using Script = std::function<Reply(const SentRequest&, size_t nth)>;
  explicit Storage(Script script, const std::function<void(HttpCasOptions&)>& edit = {})
      : http_(
            [this, script = std::move(script)](const SentRequest& request) {
              if (request.url.starts_with(HttpFixture::kEndpoint)) return answer_plan();
              return script(request, request.nth_of_path);
            },
            [&](HttpCasOptions& options) {
              options.credentials.token = AccessToken{"TOKEN"};
              options.headers = {{"X-Custom", "1"}};
              if (edit) edit(options);
            }) {}

  Result<std::string> fetch() {
    XET_TRY(const auto plan, http_.reconstruct(kFile, ByteRange{0, 9000}));
    const auto& ranges = plan.fetches.at(kXorb);
    EXPECT_EQ(ranges.size(), 1u);
    EXPECT_EQ(ranges[0].bytes, kRange);
    return http_.fetch(kXorb, ranges[0]);
  }
  std::vector<SentRequest> requests() const {
    auto all = http_.transport->requests();
    std::erase_if(all, [](const auto& request) { return request.url.starts_with(HttpFixture::kEndpoint); });
    return all;
  }
  std::vector<std::string> ranges() const {
    std::vector<std::string> out;
    for (const auto& request : requests()) out.push_back(request.header("Range"));
    return out;
  }
  size_t n_plans() const { return n_plans_; }
  HttpFixture& http() { return http_; }

  bool is_split = false;
  std::function<Reply()> other_plan;  ///< instead, from the second question on

 private:
  Reply answer_plan() {
    const size_t n = n_plans_++;
    if (n > 0 && other_plan) return other_plan();
    return reply(200, reconstruction(n, is_split));
  }
  std::atomic<size_t> n_plans_ = 0;
  HttpFixture http_;  // last: its threads use the rest
};

std::string wanted() {
  return kBytes.substr(kRange.begin, kRange.size());
}

TEST(HttpFetch, AsksForOneRangeWithoutToken) {
  Storage storage([](const auto& request, size_t) { return right_answer(request); });
  EXPECT_EQ(storage.fetch().value(), wanted());
  ASSERT_THAT(storage.requests(), SizeIs(1));
  const auto request = storage.requests()[0];
  EXPECT_EQ(request.url, "http://storage.test/x?sig=SECRET0");
  EXPECT_EQ(request.header("Range"), "bytes=1000-3999");
  EXPECT_EQ(request.header("Authorization"), "");
  EXPECT_EQ(request.header("X-Xet-Session-Id"), "session");
  EXPECT_EQ(request.header("X-Custom"), "1");
}

TEST(HttpFetch, TakesEveryRightFormOfAnswer) {
  const auto body = wanted();
  for (auto answer : {reply(206, body, {{"Content-Range", "bytes 1000-3999/*"}}), reply(206, body),
                      reply(200, body), reply(200, kBytes), reply(200, kBytes.substr(0, 4000))}) {
    Storage storage([&](const auto&, size_t) { return answer; });
    EXPECT_EQ(storage.fetch().value(), body) << answer.status << " " << answer.body.size();
    EXPECT_THAT(storage.requests(), SizeIs(1));
  }
  auto chunked = reply(200, body);
  chunked.tells_length = false;
  Storage storage([&](const auto&, size_t) { return chunked; });
  EXPECT_EQ(storage.fetch().value(), body);
}

TEST(HttpFetch, RefusesEveryWrongOne) {
  const auto body = wanted();
  auto no_length = reply(206, body + "x", {{"Content-Range", "bytes 1000-3999/*"}});
  no_length.tells_length = false;
  auto neither = reply(206, body);
  neither.tells_length = false;
  auto short_chunked = reply(200, body.substr(1));
  short_chunked.tells_length = false;
  for (const auto& answer :
       {reply(206, body, {{"Content-Range", "bytes 1001-4000/5000"}}),
        reply(206, body, {{"Content-Range", "x"}}), reply(206, body + "x"), reply(206, body.substr(1)),
        reply(200, body.substr(1)), reply(200, ""), reply(204), reply(206, body, {{"Content-Length", "3x"}}),
        no_length, neither, short_chunked, reply(206, body, {{"Content-Range", "bytes 1000-3998/5000"}})}) {
    Storage storage([&](const auto&, size_t) { return answer; },
                    [](auto& options) { options.retry.max_retries = 1; });
    const auto out = storage.fetch();
    EXPECT_THAT(out, FailsWith(ErrorCode::kCorruption, kXorb.hex()))
        << answer.status << " " << answer.body.size();
    EXPECT_THAT(out.error().message, Not(HasSubstr("SECRET")));
    EXPECT_LE(storage.requests().size(), 2u);
  }
}

TEST(HttpFetch, GoesOnWhereItBroke) {
  Storage storage([](const auto& request, size_t nth) {
    return nth < 3 ? broken_after(right_answer(request), 700) : right_answer(request);
  });
  EXPECT_EQ(storage.fetch().value(), wanted());
  EXPECT_THAT(storage.ranges(),
              ElementsAre("bytes=1000-3999", "bytes=1700-3999", "bytes=2400-3999", "bytes=3100-3999"));
}

TEST(HttpFetch, SurvivesABreakAtEveryByte) {
  for (const size_t k : {37, 100, 999, 1000, 1001, 2999}) {
    Storage storage([&](const auto& request, size_t) {
      auto answer = right_answer(request);
      return answer.body.size() > k ? broken_after(answer, k) : answer;
    });
    EXPECT_EQ(storage.fetch().value(), wanted()) << k;
  }
  for (size_t at = 0; at <= kRange.size(); at += 97) {
    Storage storage([&](const auto& request, size_t nth) {
      return nth == 0 ? broken_after(right_answer(request), at) : right_answer(request);
    });
    EXPECT_EQ(storage.fetch().value(), wanted()) << at;
  }
}

TEST(HttpFetch, ProgressGivesAllRetriesBack) {
  // ten breaks with two retries: each brings a little
  Storage storage(
      [](const auto& request, size_t nth) {
        return nth < 10 ? broken_after(right_answer(request), 5) : right_answer(request);
      },
      [](auto& options) { options.retry.max_retries = 2; });
  EXPECT_EQ(storage.fetch().value(), wanted());
  Storage without([](const auto& request, size_t) { return broken_after(right_answer(request), 0); },
                  [](auto& options) { options.retry.max_retries = 2; });
  EXPECT_THAT(without.fetch(), FailsWith(ErrorCode::kUnavailable));
  EXPECT_THAT(without.requests(), SizeIs(3));
}

TEST(HttpFetch, AsksForAWholeSignedRangeAgainWhereAPartIsRefused) {
  for (const int status : {403, 416}) {
    Storage storage([&](const SentRequest& request, size_t nth) {
      if (nth == 0) return broken_after(right_answer(request), 1234);
      return asked(request) == kRange ? right_answer(request)
                                      : reply(status, "<Signature>SECRET</Signature>");
    });
    EXPECT_EQ(storage.fetch().value(), wanted());
    EXPECT_EQ(storage.ranges().back(), "bytes=1000-3999");
    EXPECT_LE(storage.requests().size(), 4u);
  }
}

TEST(HttpFetch, FetchesRangesThatWereJoinedOneByOne) {
  Storage storage([](const auto& request, size_t nth) {
    return nth == 0 ? broken_after(right_answer(request), 10) : right_answer(request);
  });
  storage.is_split = true;
  EXPECT_EQ(storage.fetch().value(), wanted());
  EXPECT_THAT(storage.ranges(), ElementsAre("bytes=1000-1999", "bytes=1010-1999", "bytes=2000-3999"));
}

TEST(HttpFetch, GetsANewUrlWhenTheOldOneEnded) {
  Storage storage([](const SentRequest& request, size_t) {
    return request.url.ends_with("SECRET0") ? reply(403) : right_answer(request);
  });
  EXPECT_EQ(storage.fetch().value(), wanted());
  EXPECT_EQ(storage.n_plans(), 2u);
  EXPECT_THAT(storage.requests(), SizeIs(2));
  const auto all = storage.http().transport->requests();
  EXPECT_EQ(all[2].header("Range"), "bytes=0-8999");  // the same question
  EXPECT_EQ(all[2].header("Authorization"), "Bearer TOKEN");
}

TEST(HttpFetch, UrlsMayEndAgainAndAgainWhileThereIsProgress) {
  // every URL is good for one exchange, which breaks early
  Storage storage([](const SentRequest& request, size_t nth) {
    if (nth % 2 == 1) return reply(403);
    return nth < 20 ? broken_after(right_answer(request), 100) : right_answer(request);
  });
  EXPECT_EQ(storage.fetch().value(), wanted());
}

TEST(HttpFetch, APermanentRefusalEndsSoon) {
  Storage storage([](const auto&, size_t) { return reply(403, "SECRET signature"); });
  const auto out = storage.fetch();
  EXPECT_THAT(out, FailsWith(ErrorCode::kUnauthorized, kXorb.hex()));
  EXPECT_THAT(out.error().message, Not(HasSubstr("SECRET")));
  EXPECT_THAT(storage.requests(), SizeIs(4));
  EXPECT_THAT(storage.http().trouble(), SizeIs(0));
}

TEST(HttpFetch, AFailedRefreshEndsTheFetch) {
  const auto run = [](std::function<Reply()> other_plan) {
    Storage storage([](const auto&, size_t) { return reply(403); });
    storage.other_plan = std::move(other_plan);
    return storage.fetch();
  };
  EXPECT_THAT(run([] { return reply(404); }), FailsWith(ErrorCode::kNotFound));
  EXPECT_THAT(run([] { return reply(416); }), FailsWith(ErrorCode::kCorruption));
  EXPECT_THAT(run([] { return reply(401); }), FailsWith(ErrorCode::kUnauthorized));
  EXPECT_THAT(run([] { return reply(200, reconstruction(1, true)); }), FailsWith(ErrorCode::kUnauthorized));
  EXPECT_THAT(run([] {
                auto text = reconstruction(1);
                text.replace(text.find("3999"), 4, "3998");
                return reply(200, text);
              }),
              FailsWith(ErrorCode::kCorruption, "otherwise"));
}

TEST(HttpFetch, ManyFetchesShareOneRefresh) {
  constexpr size_t kFetches = 8;
  std::atomic<size_t> n_refused = 0;
  Storage storage(
      [&](const SentRequest& request, size_t) {
        if (!request.url.ends_with("SECRET0")) return right_answer(request);
        auto out = reply(403);
        // four run at a time: all of them hold the old URL before any learns of its end
        out.before = [&] {
          ++n_refused;
          while (n_refused < 4) std::this_thread::yield();
        };
        return out;
      },
      [](auto& options) { options.downloads = {.initial = 4, .min = 4, .max = 4}; });
  const auto plan = storage.http().reconstruct(kFile, ByteRange{0, 9000}).value();
  std::vector<std::promise<Status>> promises(kFetches);
  std::vector<std::shared_ptr<testing::GatheringSink>> sinks;
  for (auto& promise : promises) {
    sinks.push_back(std::make_shared<testing::GatheringSink>());
    storage.http().cas->fetch({kXorb, plan.fetches.at(kXorb)[0], sinks.back()}, {},
                              [&](Status status) { promise.set_value(std::move(status)); });
  }
  for (auto& promise : promises) EXPECT_THAT(promise.get_future().get(), IsOk());
  for (const auto& sink : sinks) EXPECT_EQ(sink->data, wanted());
  EXPECT_EQ(storage.n_plans(), 2u);
}

TEST(HttpFetch, StatusDecides) {
  struct Case {
    int status;
    size_t n_requests;
    ErrorCode code;
  };
  for (const auto& [status, n_requests, code] : std::vector<Case>{{400, 1, ErrorCode::kRefused},
                                                                  {401, 1, ErrorCode::kUnauthorized},
                                                                  {404, 1, ErrorCode::kNotFound},
                                                                  {410, 1, ErrorCode::kNotFound},
                                                                  {416, 1, ErrorCode::kCorruption},
                                                                  {408, 2, ErrorCode::kUnavailable},
                                                                  {429, 2, ErrorCode::kUnavailable},
                                                                  {500, 2, ErrorCode::kUnavailable},
                                                                  {503, 2, ErrorCode::kUnavailable},
                                                                  {501, 1, ErrorCode::kRefused}}) {
    Storage storage([&, now = status](const auto&, size_t) { return reply(now); },
                    [](auto& options) { options.retry.max_retries = 1; });
    EXPECT_THAT(storage.fetch(), FailsWith(code, kXorb.hex())) << status;
    EXPECT_EQ(storage.requests().size(), n_requests) << status;
  }
}

TEST(HttpFetch, RunsNoMoreAtOnceThanAllowed) {
  std::atomic<int> running = 0;
  std::atomic<int> most = 0;
  Storage storage(
      [&](const SentRequest& request, size_t) {
        auto out = right_answer(request);
        out.before = [&] {
          most = std::max(most.load(), ++running);
          std::this_thread::yield();
          --running;
        };
        return out;
      },
      [](auto& options) { options.downloads = {.initial = 2, .min = 1, .max = 2}; });
  EXPECT_EQ(storage.http().cas->max_fetches(), 2u);
  const auto plan = storage.http().reconstruct(kFile).value();
  std::vector<std::promise<Status>> promises(20);
  for (auto& promise : promises) {
    storage.http().cas->fetch({kXorb, plan.fetches.at(kXorb)[0], std::make_shared<testing::GatheringSink>()},
                              {}, [&](Status status) { promise.set_value(std::move(status)); });
  }
  for (auto& promise : promises) EXPECT_THAT(promise.get_future().get(), IsOk());
  EXPECT_LE(most, 2);
}

TEST(HttpFetch, AStopEndsIt) {
  std::stop_source stop;
  Storage storage([&](const auto& request, size_t) {
    auto out = right_answer(request);
    out.hangs = true;
    out.before = [&] { stop.request_stop(); };
    return out;
  });
  const auto plan = storage.http().reconstruct(kFile).value();
  const auto status = storage.http().run<void>([&](auto done) {
    storage.http().cas->fetch({kXorb, plan.fetches.at(kXorb)[0], std::make_shared<testing::GatheringSink>()},
                              stop.get_token(), std::move(done));
  });
  EXPECT_THAT(status, FailsWith(ErrorCode::kCancelled));
}

TEST(HttpFetch, RefusesRangesOfOthers) {
  Storage storage([](const auto& request, size_t) { return right_answer(request); });
  EXPECT_THAT(storage.http().fetch(
                  kXorb, {.chunks = {0, 1}, .bytes = {0, 10}, .ticket = nullptr, .chunk_hashes = {}}),
              FailsWith(ErrorCode::kInvalidArgument));
}

}  // namespace
}  // namespace xet::cas
