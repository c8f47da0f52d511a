// What the server puts up with: sizes, times, numbers, and its own end.
#include <gmock/gmock.h>

#include <condition_variable>
#include <future>
#include <nlohmann/json.hpp>
#include <thread>

#include "http/http_fixture.h"
#include "server/hub/accounts.h"
#include "support/faulty_calls.h"
#include "support/matchers.h"

namespace xet::testing {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

constexpr milliseconds kShort{150};

TEST(Header, LargerThanAllowedIs431) {
  HttpFixture fixture;
  for (const auto& text : {"GET /healthz HTTP/1.1\r\nHost: h\r\nX: " + std::string(40'000, 'a') + "\r\n\r\n",
                           "GET /" + std::string(40'000, 'a'), "GET /healthz HTTP/1.1\r\nHost: h\r\n" + [] {
                             std::string out;
                             for (int i = 0; i < 4000; ++i) out += "X: aaaaaaa\r\n";
                             return out;
                           }()}) {
    auto client = fixture.connect();
    client.send(text);
    const auto answer = client.read_answer();
    EXPECT_EQ(answer.status, 431);
    EXPECT_EQ(answer.header("Connection"), "close");
  }
  auto client = fixture.connect();
  EXPECT_EQ(client.request("GET", "/healthz", {{"X", std::string(30'000, 'a')}}).status, 200);
}

TEST(Header, ThatIsNoneIs400) {
  HttpFixture fixture;
  for (const std::string_view text :
       {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", "GET\r\n\r\n", "GET  /healthz HTTP/1.1\r\n\r\n",
        "GET /healthz HTTP/3.0\r\n\r\n", "GET /healthz HTTP/1.1\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n", "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET healthz HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /v1/telemetry HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST /v1/telemetry HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
        "POST /v1/telemetry HTTP/1.1\r\nHost: a\r\nExpect: more\r\n\r\n"}) {
    auto client = fixture.connect();
    client.send(text);
    EXPECT_EQ(client.read_answer().status, 400) << text;
    client.finish();
    EXPECT_TRUE(client.is_closed_by_peer()) << text;
  }
}

TEST(Requests, ComeInAllLawfulForms) {
  HttpFixture fixture;
  auto client = fixture.connect();
  client.send("\r\nGET http://proxy.test/healthz HTTP/1.1\r\nHost: h\r\n\r\n");
  const auto answer = client.read_answer();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("X-Request-Id").size(), 16u);
  EXPECT_THAT(answer.header("Date"), HasSubstr("GMT"));
  auto old = fixture.connect();
  old.send("GET /healthz HTTP/1.0\r\n\r\n");
  const auto old_answer = old.read_answer();
  EXPECT_EQ(old_answer.status, 200);
  EXPECT_EQ(old_answer.header("Connection"), "close");
  EXPECT_TRUE(old.is_closed_by_peer());
}

TEST(Requests, MayBePipelined) {
  HttpFixture fixture;
  auto client = fixture.connect();
  const auto token = fixture.reader();
  const std::string telemetry =
      RawClient::head("POST", "/v1/telemetry", {{"Host", "h"}, {"Content-Length", "2"}, token});
  client.send("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n" + telemetry + "{}" +
              "GET /nothing HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabcde" +
              "GET /readyz HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.read_answer().body, "ok\n");
  EXPECT_EQ(client.read_answer().status, 200);
  EXPECT_EQ(client.read_answer().status, 404);
  EXPECT_EQ(client.read_answer().body, "ready\n");
}

TEST(Requests, WithAWrongMethodAreToldTheRightOne) {
  HttpFixture fixture;
  auto client = fixture.connect();
  const auto answer = client.request("DELETE", "/v1/shards");
  EXPECT_EQ(answer.status, 405);
  EXPECT_EQ(answer.header("Allow"), "POST");
  EXPECT_EQ(client.request("GET", "/metrics").status, 404) << "not for everybody";
}

TEST(SlowClients, WithAnEndlessHeaderAreGivenUp) {
  HttpFixture fixture([](auto& options) { options.limits.header = kShort; });
  auto client = fixture.connect();
  client.send("GET /healthz HTTP/1.1\r\nHos");
  const auto answer = client.read_answer();
  EXPECT_EQ(answer.status, 408);
  auto silent = fixture.connect();
  EXPECT_TRUE(silent.is_closed_by_peer()) << "nothing was asked, nothing is answered";
}

TEST(SlowClients, ThatDripAHeaderGetNoMoreTimeForIt) {
  HttpFixture fixture([](auto& options) { options.limits.header = kShort; });
  auto client = fixture.connect();
  // A byte at a time, each well within the limit.
  const auto begin = std::chrono::steady_clock::now();
  client.send("GET /healthz HTTP/1.1\r\nHost: h\r\nX: ");
  std::jthread drip([&](const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any woken;
    std::unique_lock lock(mutex);
    while (!stop.stop_requested()) {
      try {
        client.send("a");
      } catch (const std::exception&) {
        return;
      }
      woken.wait_for(lock, stop, kShort / 10, [] { return false; });
    }
  });
  EXPECT_EQ(client.read_answer().status, 408);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, kShort * 20);
}

TEST(SlowClients, WithABodyThatDoesNotComeAreGivenUp) {
  HttpFixture fixture([](auto& options) {
    options.limits.idle = kShort;
    options.admin_listen = "127.0.0.1:0";
  });
  const auto xorb = make_xorb(10, 1);
  for (const auto& [path, length] :
       {std::pair("/v1/xorbs/default/" + xorb.hash.hex(), "10000"),
        std::pair(std::string("/v1/shards"), "10000"), std::pair(std::string("/v1/telemetry"), "10")}) {
    auto client = fixture.connect();
    client.send(RawClient::head("POST", path, {{"Host", "h"}, {"Content-Length", length}, fixture.writer()}));
    client.send("x");
    const auto answer = client.read_answer();
    EXPECT_TRUE(answer.status == 408 || answer.status == 400) << path << answer.status;
    EXPECT_EQ(answer.header("Connection"), "close");
  }
  EXPECT_TRUE(fixture.wait_for_metric("xet_body_slots_used", 0));
}

TEST(SlowClients, GetNoMoreThanTheTimeForAWholeBody) {
  HttpFixture fixture([](auto& options) {
    options.limits.body = kShort;
    options.limits.progress_bytes = 1;
  });
  auto client = fixture.connect();
  client.send(
      RawClient::head("POST", "/v1/shards", {{"Host", "h"}, {"Content-Length", "1000"}, fixture.writer()}));
  std::jthread drip([&](const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any woken;
    std::unique_lock lock(mutex);
    for (int i = 0; i < 900 && !stop.stop_requested(); ++i) {
      try {
        client.send("a");
      } catch (const std::exception&) {
        return;
      }
      woken.wait_for(lock, stop, kShort / 10, [] { return false; });
    }
  });
  EXPECT_EQ(client.read_answer().status, 408);
}

TEST(IdleConnections, AreClosed) {
  HttpFixture fixture([](auto& options) { options.limits.keep_alive = kShort; });
  auto client = fixture.connect();
  EXPECT_EQ(client.request("GET", "/healthz").status, 200);
  EXPECT_TRUE(client.is_closed_by_peer());
}

TEST(Connections, BeyondTheLimitWaitForOthersToEnd) {
  HttpFixture fixture([](auto& options) { options.limits.max_connections = 2; });
  auto first = fixture.connect();
  EXPECT_EQ(first.request("GET", "/healthz").header("Connection"), "");
  auto second = fixture.connect();
  auto third = fixture.connect();
  third.send(RawClient::head("GET", "/healthz", {{"Host", "h"}}));
  EXPECT_EQ(second.request("GET", "/healthz").header("Connection"), "close") << "others are at the door";
  second.finish();
  EXPECT_EQ(third.read_answer().status, 200);
}

/// A xorb upload that has its slot and stalls.
RawClient stalled_upload(HttpFixture& fixture, const SampleXorb& xorb) {
  auto client = fixture.connect();
  client.send(RawClient::head("POST", "/v1/xorbs/default/" + xorb.hash.hex(),
                              {{"Host", "h"},
                               {"Content-Length", std::to_string(xorb.body.size())},
                               {"Expect", "100-continue"},
                               fixture.writer()}));
  if (client.read_answer().status != 100) throw std::runtime_error("not taken");
  return client;
}

TEST(Slots, AreWaitedForAndThenRefused) {
  HttpFixture fixture([](auto& options) {
    options.limits.body_slots = 1;
    options.limits.slot_wait = kShort;
    options.limits.retry_after = std::chrono::seconds(9);
    options.admin_listen = "127.0.0.1:0";
  });
  const auto xorb = make_xorb(30, 1);
  auto holder = stalled_upload(fixture, xorb);
  EXPECT_EQ(fixture.metric("xet_body_slots_used"), 1);
  const auto other = make_xorb(3, 2);
  auto client = fixture.connect();
  const auto answer = client.request("POST", "/v1/xorbs/default/" + other.hash.hex(), {fixture.writer()},
                                     as_chars(other.body));
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.header("Retry-After"), "9");
  EXPECT_EQ(fixture.metric("xet_body_slots_refused_total"), 1);
  EXPECT_EQ(client.request("GET", "/v2/reconstructions/" + FileHash{}.hex(), {fixture.reader()}).status, 200)
      << "reading needs no slot";
  holder.send(xorb.body);
  EXPECT_EQ(holder.read_answer().status, 200);
  EXPECT_EQ(
      client
          .request("POST", "/v1/xorbs/default/" + other.hash.hex(), {fixture.writer()}, as_chars(other.body))
          .status,
      200);
}

/// A Hub with the repository alice/r; `token` may write there.
class HubLimits : public ::testing::Test {
 protected:
  HubLimits() {
    hub::Accounts accounts(fixture.hub(), fixture.clock);
    EXPECT_TRUE(accounts.add_user("alice"));
    token = HttpFixture::bearer(*accounts.create_token(
        {.user = "alice", .role = store::TokenRole::kWrite, .name_spaces = {}, .label = {}, .expires = {}}));
    auto client = fixture.connect();
    EXPECT_EQ(client.request("POST", "/api/repos/create", {token}, R"({"name":"r"})").status, 200);
  }
  int commit(const std::string& path) {
    auto client = fixture.connect();
    return client
        .request("POST", kCommit, {token},
                 R"({"key":"header","value":{"summary":"s"}})"
                 "\n"
                 R"({"key":"file","value":{"path":")" +
                     path + R"(","content":"YQ=="}})")
        .status;
  }
  static constexpr const char* kCommit = "/api/models/alice/r/commit/main";
  static constexpr const char* kPathsInfo = "/api/models/alice/r/paths-info/main";
  HttpFixture fixture{[](auto& options) {
    options.limits.body_slots = 1;
    options.limits.shard_memory_bytes = 1000;
    options.limits.body_memory_bytes = 1000;
    options.limits.slot_wait = kShort;
  }};
  std::pair<std::string, std::string> token;
};

TEST_F(HubLimits, CommitsNeedNoSlot) {
  const auto xorb = make_xorb(30, 1);
  auto holder = stalled_upload(fixture, xorb);
  EXPECT_EQ(commit("a"), 200);
  holder.send(xorb.body);
  EXPECT_EQ(holder.read_answer().status, 200);
}

TEST_F(HubLimits, CommitsCountByTheirMemory) {
  auto first = fixture.connect();
  first.send(RawClient::head("POST", kCommit,
                             {{"Host", "h"}, {"Content-Length", "990"}, {"Expect", "100-continue"}, token}));
  EXPECT_EQ(first.read_answer().status, 100) << "it has its memory";
  EXPECT_EQ(commit("a"), 503);
  first.send(std::string(990, 'x'));
  EXPECT_EQ(first.read_answer().status, 400);
  EXPECT_EQ(commit("a"), 200) << "now there is room";
}

TEST_F(HubLimits, OtherBodiesCountByTheirMemoryToo) {
  auto first = fixture.connect();
  first.send(RawClient::head("POST", kPathsInfo,
                             {{"Host", "h"}, {"Content-Length", "990"}, {"Expect", "100-continue"}, token}));
  EXPECT_EQ(first.read_answer().status, 100) << "it has its memory";
  auto second = fixture.connect();
  EXPECT_EQ(second.request("POST", kPathsInfo, {token}, R"({"paths":[]})").status, 503);
  EXPECT_EQ(commit("a"), 200) << "commits have memory of their own";
  first.send(R"({"paths":[]})" + std::string(990 - 12, ' '));
  EXPECT_EQ(first.read_answer().status, 200);
  EXPECT_EQ(second.request("POST", kPathsInfo, {token}, R"({"paths":[]})").status, 200)
      << "now there is room";
}

TEST_F(HubLimits, MemoryIsNotTakenUpByWhoMayNot) {
  for (const char* path : {kCommit, "/api/repos/create", "/api/models/alice/r/preupload/main"}) {
    auto stranger = fixture.connect();
    stranger.send(RawClient::head("POST", path,
                                  {{"Host", "h"}, {"Content-Length", "1000"}, {"Expect", "100-continue"}}));
    EXPECT_EQ(stranger.read_answer().status, 401) << path << ": before a byte of the body";
  }
  EXPECT_EQ(commit("a"), 200);
}

TEST(Slots, GoToWhoWaitsWhenTheyBecomeFree) {
  HttpFixture fixture([](auto& options) {
    options.limits.body_slots = 1;
    options.limits.slot_wait = std::chrono::seconds(30);
  });
  const auto xorb = make_xorb(30, 1);
  auto holder = stalled_upload(fixture, xorb);
  std::vector<RawClient> waiting;
  const auto other = make_xorb(3, 2);
  for (int i = 0; i < 3; ++i) {
    waiting.push_back(fixture.connect());
    waiting.back().send(RawClient::head(
        "POST", "/v1/xorbs/default/" + other.hash.hex(),
        {{"Host", "h"}, {"Content-Length", std::to_string(other.body.size())}, fixture.writer()}));
    waiting.back().send(other.body);
  }
  holder.send(xorb.body);
  EXPECT_EQ(holder.read_answer().status, 200);
  for (auto& client : waiting) EXPECT_EQ(client.read_answer().status, 200);
}

TEST(Drain, ClosesIdleConnectionsAtOnceAndStopsListening) {
  HttpFixture fixture;
  auto idle = fixture.connect();
  EXPECT_EQ(idle.request("GET", "/healthz").status, 200);
  auto fresh = fixture.connect();
  EXPECT_TRUE(fixture.server().drain(std::chrono::seconds(30)));
  EXPECT_TRUE(idle.is_closed_by_peer());
  EXPECT_TRUE(fresh.is_closed_by_peer());
  EXPECT_ANY_THROW(fixture.connect());
  EXPECT_TRUE(fixture.server().drain(std::chrono::seconds(30))) << "again is fine";
}

TEST(Drain, LetsRunningRequestsFinish) {
  HttpFixture fixture;
  const auto xorb = make_xorb(30, 1);
  auto upload = stalled_upload(fixture, xorb);
  auto idle = fixture.connect();
  EXPECT_EQ(idle.request("GET", "/readyz").status, 200);
  auto drained =
      std::async(std::launch::async, [&] { return fixture.server().drain(std::chrono::seconds(30)); });
  EXPECT_TRUE(idle.is_closed_by_peer()) << "draining has begun";
  upload.send(xorb.body);
  const auto answer = upload.read_answer();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("Connection"), "close");
  upload.finish();
  EXPECT_TRUE(drained.get());
}

TEST(Drain, CutsOffWhatDoesNotEnd) {
  HttpFixture fixture;
  const auto before = objects_in(fixture.dir / "store");
  const auto xorb = make_xorb(30, 1);
  auto upload = stalled_upload(fixture, xorb);
  upload.send(ByteSpan(xorb.body).first(5000));
  EXPECT_FALSE(fixture.server().drain(milliseconds(10)));
  EXPECT_TRUE(upload.is_closed_by_peer());
  EXPECT_EQ(objects_in(fixture.dir / "store"), before);
}

TEST(Drain, WaitsForWhatTheDiskHasNotConfirmed) {
  Sync<bool> held{true};
  std::condition_variable changed;
  std::promise<void> reached;
  FaultyCalls calls;
  std::atomic<bool> armed{false};
  calls.on_fsync = [&](int) {
    if (!armed.exchange(false)) return 0;
    reached.set_value();
    auto guard = held.lock();
    guard.wait(changed, [&] { return !*guard; });
    return 0;
  };
  const io::ScopedSystemCalls scope(calls);
  HttpFixture fixture;
  const auto xorb = make_xorb(30, 1);
  auto client = fixture.connect();
  armed = true;
  client.send(RawClient::head(
      "POST", "/v1/xorbs/default/" + xorb.hash.hex(),
      {{"Host", "h"}, {"Content-Length", std::to_string(xorb.body.size())}, fixture.writer()}));
  client.send(xorb.body);
  reached.get_future().wait();
  auto drained = std::async(std::launch::async, [&] { return fixture.server().drain(milliseconds(10)); });
  *held.lock() = false;
  changed.notify_all();
  (void)drained.get();  // whether it was in time is chance; that it ends, and the store is sound, is not
  fixture.stop();
  EXPECT_THAT(fixture.service().xorb_exists(xorb.hash), IsOk());
}

TEST(AdminListener, AnswersMetricsAndHealthOnly) {
  HttpFixture fixture([](auto& options) { options.admin_listen = "127.0.0.1:0"; });
  ASSERT_TRUE(fixture.server().admin_port().has_value());
  RawClient client(*fixture.server().admin_port());
  const auto metrics = client.request("GET", "/metrics");
  EXPECT_EQ(metrics.status, 200);
  EXPECT_THAT(metrics.header("Content-Type"), HasSubstr("version=0.0.4"));
  EXPECT_THAT(metrics.body, HasSubstr("\nxet_ready 1\n"));
  EXPECT_EQ(client.request("GET", "/healthz").status, 200);
  EXPECT_EQ(client.request("GET", "/v2/reconstructions/" + FileHash{}.hex(), {fixture.reader()}).status, 404);
}

TEST(AccessLog, HasALineForEachRequestWithoutItsSecrets) {
  HttpFixture fixture;
  const auto xorb = make_xorb(4, 1);
  const auto file = fixture.add_file(xorb);
  auto client = fixture.connect();
  const auto token = fixture.reader();
  const auto answer = client.request("GET", "/v2/reconstructions/" + file.hash.hex(),
                                     {token, {"X-Xet-Session-Id", "session-1"}});
  const auto url = nlohmann::json::parse(answer.body)["xorbs"][xorb.hash.hex()][0]["url"].get<std::string>();
  client.request("GET", target_of(url), {{"Range", "bytes=0-9"}});
  client.request("GET", "/nothing?secret=1");
  const auto lines = fixture.wait_for_log_lines(3);
  ASSERT_EQ(lines.size(), 3u);
  const auto first = nlohmann::json::parse(lines[0]);
  EXPECT_EQ(first["id"], answer.header("X-Request-Id"));
  EXPECT_EQ(first["session"], "session-1");
  EXPECT_EQ(first["route"], "/v2/reconstructions/{file}");
  EXPECT_EQ(first["principal"], "somebody");
  EXPECT_EQ(first["out"], answer.body.size());
  const auto second = nlohmann::json::parse(lines[1]);
  EXPECT_EQ(second["route"], "/d/{name}");
  EXPECT_EQ(second["status"], 206);
  EXPECT_EQ(second["out"], 10);
  EXPECT_EQ(nlohmann::json::parse(lines[2])["route"], "");
  for (const auto& line : lines) {
    EXPECT_EQ(line.find("secret"), std::string::npos);
    EXPECT_EQ(line.find(token.second.substr(7)), std::string::npos);
    EXPECT_EQ(line.find(url.substr(url.find("s="))), std::string::npos);
  }
}

TEST(Options, ThatCannotBeAreRefused) {
  const TempDir dir;
  const auto store = core::open_embedded_store(dir / "store");
  ASSERT_THAT(store, IsOk());
  const auto start = [&](const std::function<void(http::ServerOptions&)>& edit) {
    http::ServerOptions options;
    options.listen = "127.0.0.1:0";
    edit(options);
    return http::Server::start(*store->service, options);
  };
  EXPECT_THAT(start([](auto& o) { o.listen = "example.org:80"; }), FailsWith(ErrorCode::kInvalidArgument));
  EXPECT_THAT(start([](auto& o) { o.admin_listen = "x"; }), FailsWith(ErrorCode::kInvalidArgument));
  EXPECT_THAT(start([](auto& o) { o.public_url = "cas.example.org"; }),
              FailsWith(ErrorCode::kInvalidArgument));
  EXPECT_THAT(start([](auto& o) { o.tls_certificate = "/some/cert.pem"; }),
              FailsWith(ErrorCode::kInvalidArgument));
  EXPECT_THAT(start([&](auto& o) { o.tls_certificate = o.tls_key = dir / "none.pem"; }),
              FailsWith(ErrorCode::kIo));
  write_bytes(dir / "bad.pem", as_byte_span("no certificate"));
  EXPECT_THAT(start([&](auto& o) { o.tls_certificate = o.tls_key = dir / "bad.pem"; }),
              FailsWith(ErrorCode::kInvalidArgument));
  const auto first = start([](auto&) {});
  ASSERT_THAT(first, IsOk());
  const auto taken = "127.0.0.1:" + std::to_string((*first)->port());
  EXPECT_EQ((*first)->url(), "http://" + taken);
  EXPECT_THAT(start([&](auto& o) {
                o.listen = taken;
                o.admin_listen = "127.0.0.1:0";  // opened before, and to be closed again
              }),
              FailsWith(ErrorCode::kIo, "cannot listen"));
}

}  // namespace
}  // namespace xet::testing
