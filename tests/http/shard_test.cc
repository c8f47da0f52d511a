// Shards taken in, on both routes.
#include <gmock/gmock.h>

#include <condition_variable>
#include <nlohmann/json.hpp>

#include "hash/blake3.h"
#include "http/http_fixture.h"
#include "support/faulty_calls.h"

namespace xet::testing {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

std::vector<Json> frames_of(std::string_view body) {
  std::vector<Json> out;
  while (!body.empty()) {
    const size_t end = body.find('\n');
    if (end == std::string_view::npos) throw std::runtime_error("a line without end");
    out.push_back(Json::parse(body.substr(0, end)));
    body.remove_prefix(end + 1);
  }
  return out;
}

class Shards : public ::testing::Test {
 protected:
  Shards() {
    client_.request("POST", "/v1/xorbs/default/" + xorb_.hash.hex(), {fixture_.writer()},
                    as_chars(xorb_.body));
  }
  HttpAnswer post(const char* path, ByteSpan shard) {
    return client_.request("POST", path, {fixture_.writer()}, as_chars(shard));
  }
  /// A file whose xorb was never sent.
  static ByteVector stale_shard() {
    const auto lost = make_xorb(5, 99);
    return make_shard({make_file({{&lost, 0, 5}})}, {&lost});
  }

  HttpFixture fixture_{[](auto& options) { options.admin_listen = "127.0.0.1:0"; }};
  RawClient client_ = fixture_.connect();
  const SampleXorb xorb_ = make_xorb(30, 1);
  const format::FileRecord file_ = make_file({{&xorb_, 0, 30}});
  const ByteVector shard_ = make_shard({file_}, {&xorb_});
};

TEST_F(Shards, AreRegisteredOnce) {
  const auto stored_as = hash::shard_hash(shard_).hex();
  const auto first = post("/v1/shards", shard_);
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(first.body, R"({"result":1,"shard_hash":")" + stored_as + R"("})");
  EXPECT_EQ(post("/v1/shards", shard_).body, R"({"result":0,"shard_hash":")" + stored_as + R"("})");
  EXPECT_EQ(client_.request("GET", "/v2/reconstructions/" + file_.hash.hex(), {fixture_.reader()}).status,
            200);
}

TEST_F(Shards, TellHowFarTheyAreOnTheNewRoute) {
  const auto answer = post("/v2/shards", shard_);
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(answer.was_chunked);
  EXPECT_EQ(answer.header("Content-Type"), "application/x-ndjson");
  EXPECT_EQ(answer.header("X-Accel-Buffering"), "no");
  const auto frames = frames_of(answer.body);
  // How many frames of verifying there are depends on who is faster, the store or the connection.
  ASSERT_GE(frames.size(), 5u) << answer.body;
  const size_t n_validating = frames.size() - 3;
  EXPECT_EQ(frames[0]["verified"], 0);
  for (size_t i = 0; i < n_validating; ++i) {
    EXPECT_EQ(frames[i]["type"], "validating");
    EXPECT_LE(frames[i]["verified"], frames[i]["total"]);
    if (i > 0) {
      EXPECT_GT(frames[i]["verified"], frames[i - 1]["verified"]);
    }
  }
  EXPECT_EQ(frames[n_validating], (Json{{"type", "committing"}, {"stage", "uploading"}}));
  EXPECT_EQ(frames[n_validating + 1], (Json{{"type", "committing"}, {"stage", "syncing"}}));
  EXPECT_EQ(frames[n_validating + 2], (Json{{"type", "result"}}));
  EXPECT_EQ(client_.request("HEAD", "/v1/files/" + file_.hash.hex(), {fixture_.reader()}).status, 200)
      << "on the same connection";
  EXPECT_EQ(frames_of(post("/v2/shards", shard_).body).back()["type"], "result") << "again";
}

TEST_F(Shards, MayComeChunked) {
  client_.send(RawClient::head("POST", "/v2/shards",
                               {{"Host", "h"}, {"Transfer-Encoding", "chunked"}, fixture_.writer()}));
  client_.send("a\r\n");
  client_.send(ByteSpan(shard_).first(10));
  client_.send("\r\n" + [](size_t n) {
    std::array<char, 20> t{};
    snprintf(t.data(), t.size(), "%zx\r\n", n);
    return std::string(t.data());
  }(shard_.size() - 10));
  client_.send(ByteSpan(shard_).subspan(10));
  client_.send("\r\n0\r\n\r\n");
  EXPECT_EQ(frames_of(client_.read_answer().body).back()["type"], "result");
}

TEST_F(Shards, ThatNameAnUnknownXorbAreRefusedWithTheCure) {
  const auto answer = post("/v1/shards", stale_shard());
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(answer.body, HasSubstr("unknown xorb"));
  EXPECT_THAT(answer.body, HasSubstr(make_xorb(5, 99).hash.hex()));
  EXPECT_THAT(answer.body, HasSubstr("shard-cache"));
  const auto frames = frames_of(post("/v2/shards", stale_shard()).body);
  EXPECT_EQ(frames.back()["type"], "error");
  EXPECT_EQ(frames.back()["retryable"], false);
  EXPECT_THAT(frames.back()["message"].get<std::string>(), HasSubstr("unknown xorb"));
  EXPECT_EQ(fixture_.metric("xet_stale_reference_total"), 2);
}

TEST_F(Shards, ThatLieAreRefused) {
  for (const ByteVector& shard :
       {[&] {
          auto file = make_file({{&xorb_, 0, 30}});
          file.terms[0].unpacked_len += 1;
          return make_shard({file}, {&xorb_});
        }(),
        [&] {
          auto file = make_file({{&xorb_, 0, 30}});
          file.verification[0] = RangeHash{};
          return make_shard({file}, {&xorb_});
        }(),
        ByteVector(1000), ByteVector(), ByteVector(shard_.begin(), shard_.end() - 48)}) {
    EXPECT_EQ(post("/v1/shards", shard).status, 400);
    const auto frames = frames_of(post("/v2/shards", shard).body);
    EXPECT_EQ(frames.back()["type"], "error");
    EXPECT_EQ(frames.back()["retryable"], false);
  }
  EXPECT_EQ(fixture_.metric(R"(xet_verify_failures_total{kind="shard"})"), 10);
  EXPECT_EQ(client_.request("HEAD", "/v1/files/" + file_.hash.hex(), {fixture_.reader()}).status, 404);
}

TEST_F(Shards, LargerThanAllowedAre413) {
  HttpFixture fixture([](auto& options) { options.limits.shard_body_bytes = 1000; });
  for (const auto* path : {"/v1/shards", "/v2/shards"}) {
    auto client = fixture.connect();
    EXPECT_EQ(client.request("POST", path, {fixture.writer()}, std::string(1001, 'x')).status, 413);
  }
}

TEST_F(Shards, WaitForMemoryAndThenAreRefused) {
  HttpFixture fixture([](auto& options) {
    options.limits.shard_memory_bytes = 1000;
    options.limits.slot_wait = std::chrono::milliseconds(1);
  });
  auto first = fixture.connect();
  first.send(RawClient::head(
      "POST", "/v1/shards",
      {{"Host", "h"}, {"Content-Length", "900"}, {"Expect", "100-continue"}, fixture.writer()}));
  EXPECT_EQ(first.read_answer().status, 100) << "it has its memory";
  auto second = fixture.connect();
  const auto answer = second.request("POST", "/v1/shards", {fixture.writer()}, std::string(200, 'x'));
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.header("Retry-After"), "2");
  first.send(std::string(900, 'x'));
  EXPECT_EQ(first.read_answer().status, 400);
  EXPECT_EQ(second.request("POST", "/v1/shards", {fixture.writer()}, std::string(200, 'x')).status, 400)
      << "now there is room";
}

/// A store whose syncs wait until the test lets them.
class SlowShards : public ::testing::Test {
 protected:
  SlowShards() {
    calls_.on_fsync = [this](int) {
      auto held = held_.lock();
      held.wait(changed_, [&] { return !*held; });
      return 0;
    };
  }
  void hold(bool held) {
    *held_.lock() = held;
    changed_.notify_all();
  }

  Sync<bool> held_{false};
  std::condition_variable changed_;
  FaultyCalls calls_;
  const io::ScopedSystemCalls scope_{calls_};
  HttpFixture fixture_{[](auto& options) { options.limits.heartbeat = std::chrono::milliseconds(1); }};
  const SampleXorb xorb_ = make_xorb(30, 1);
  const format::FileRecord first_file_ = fixture_.add_file(xorb_);
  const ByteVector shard_ = make_shard({make_file({{&xorb_, 3, 9}})}, {});
};

TEST_F(SlowShards, RepeatTheLastFrameWhileTheyTakeTheirTime) {
  hold(true);
  auto client = fixture_.connect();
  client.send(
      RawClient::head("POST", "/v2/shards",
                      {{"Host", "h"}, {"Content-Length", std::to_string(shard_.size())}, fixture_.writer()}));
  client.send(shard_);
  EXPECT_EQ(client.read_head().status, 200);
  std::string last;
  int repeated = 0;
  while (repeated < 3) {
    const auto frames = frames_of(client.read_chunk());
    for (const auto& frame : frames) {
      repeated = frame.dump() == last ? repeated + 1 : 0;
      last = frame.dump();
    }
  }
  EXPECT_EQ(Json::parse(last)["stage"], "uploading");
  hold(false);
  std::string rest;
  for (auto chunk = client.read_chunk(); !chunk.empty(); chunk = client.read_chunk()) rest += chunk;
  EXPECT_EQ(frames_of(rest).back()["type"], "result");
}

TEST_F(SlowShards, AreRegisteredThoughTheClientGoes) {
  hold(true);
  {
    auto client = fixture_.connect();
    client.send(RawClient::head(
        "POST", "/v2/shards",
        {{"Host", "h"}, {"Content-Length", std::to_string(shard_.size())}, fixture_.writer()}));
    client.send(shard_);
    EXPECT_EQ(client.read_head().status, 200);
    client.reset();
  }
  hold(false);
  EXPECT_EQ(fixture_.wait_for_log_lines(1).size(), 1u);
  auto client = fixture_.connect();
  const auto again = client.request("POST", "/v1/shards", {fixture_.writer()}, as_chars(shard_));
  EXPECT_THAT(again.body, HasSubstr(R"("result":0)")) << "it is there already";
}

}  // namespace
}  // namespace xet::testing
