// Many clients at once, and the end of the server in the middle of them.
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <nlohmann/json.hpp>
#include <thread>

#include "http/http_fixture.h"
#include "support/matchers.h"

namespace xet::testing {
namespace {

constexpr size_t kClients = 8;

/// Runs `work` on several threads at once, each with its number.
void at_once(size_t n, const std::function<void(size_t)>& work) {
  std::latch start(static_cast<ptrdiff_t>(n));
  std::vector<std::jthread> threads;
  for (size_t i = 0; i < n; ++i) {
    threads.emplace_back([&, i] {
      start.arrive_and_wait();
      work(i);
    });
  }
}

TEST(ManyClients, UploadTheSameXorbsAndOneOfEachIsNew) {
  HttpFixture fixture;
  std::vector<SampleXorb> xorbs;
  for (uint64_t i = 0; i < 6; ++i) xorbs.push_back(make_xorb(20, i));
  const auto writer = fixture.writer();
  std::atomic<size_t> n_new{0};
  at_once(kClients, [&](size_t i) {
    auto client = fixture.connect();
    for (size_t k = 0; k < xorbs.size(); ++k) {
      const auto& xorb = xorbs[(k + i) % xorbs.size()];
      const auto answer =
          client.request("POST", "/v1/xorbs/default/" + xorb.hash.hex(), {writer}, as_chars(xorb.body));
      EXPECT_EQ(answer.status, 200) << answer.body;
      if (answer.body == R"({"was_inserted":true})") ++n_new;
    }
  });
  EXPECT_EQ(n_new, xorbs.size());
}

TEST(ManyClients, UploadAndReadFilesWhileOthersMisbehave) {
  HttpFixture fixture([](auto& options) { options.limits.body_slots = 3; });
  const auto writer = fixture.writer();
  at_once(kClients, [&](size_t i) {
    if (i % 4 == 3) {
      for (int k = 0; k < 5; ++k) {
        auto client = fixture.connect();
        client.send(RawClient::head("POST", "/v1/xorbs/default/" + std::string(64, 'a'),
                                    {{"Host", "h"}, {"Content-Length", "1000000"}, writer}));
        client.send(std::string(5000, 'x'));
        client.reset();
      }
      return;
    }
    const auto xorb = make_xorb(20, 100 + i);
    const auto file = make_file({{&xorb, 0, 20}});
    auto client = fixture.connect();
    EXPECT_EQ(
        client.request("POST", "/v1/xorbs/default/" + xorb.hash.hex(), {writer}, as_chars(xorb.body)).status,
        200);
    const auto shard = make_shard({file}, {&xorb});
    const auto registered =
        client.request("POST", i % 2 ? "/v2/shards" : "/v1/shards", {writer}, as_chars(shard));
    EXPECT_EQ(registered.status, 200) << registered.body;
    for (int k = 0; k < 10; ++k) {
      const auto plan = client.request("GET", "/v2/reconstructions/" + file.hash.hex(), {writer});
      ASSERT_EQ(plan.status, 200) << plan.body;
      const auto url =
          nlohmann::json::parse(plan.body)["xorbs"][xorb.hash.hex()][0]["url"].get<std::string>();
      const auto data = client.request("GET", target_of(url), {{"Range", "bytes=0-"}});
      EXPECT_EQ(data.body, as_chars(xorb.body));
    }
  });
}

TEST(ManyClients, AreEndedInOrderWhenTheServerDrains) {
  HttpFixture fixture([](auto& options) { options.admin_listen = "127.0.0.1:0"; });
  const auto xorb = make_xorb(40, 1);
  fixture.add_file(xorb);
  const auto writer = fixture.writer();
  std::atomic<size_t> n_acknowledged{0};
  std::vector<XorbHash> acknowledged(1000);
  std::latch running(kClients + 1);
  {
    std::vector<std::jthread> clients;
    for (size_t i = 0; i < kClients; ++i) {
      clients.emplace_back([&, i] {
        bool arrived = false;
        const auto arrive = [&] {
          if (!std::exchange(arrived, true)) running.count_down();
        };
        try {
          auto client = fixture.connect();
          for (uint64_t k = 0; k < 100; ++k) {
            const auto mine = make_xorb(3, 1000 * (i + 1) + k);
            const auto answer =
                client.request("POST", "/v1/xorbs/default/" + mine.hash.hex(), {writer}, as_chars(mine.body));
            if (answer.status == 200) acknowledged[n_acknowledged++] = mine.hash;
            arrive();
          }
        } catch (const std::exception&) {  // the server is gone
          arrive();
        }
      });
    }
    running.arrive_and_wait();
    fixture.server().drain(std::chrono::milliseconds(100));
  }
  fixture.stop();
  EXPECT_GT(n_acknowledged, 0u);
  for (size_t i = 0; i < n_acknowledged; ++i) {
    const auto exists = fixture.service().xorb_exists(acknowledged[i]);
    ASSERT_THAT(exists, IsOk());
    EXPECT_TRUE(*exists);
  }
}

TEST(ManyClients, ComeAndGoWhileTheServerIsDestroyed) {
  for (int round = 0; round < 5; ++round) {
    HttpFixture fixture;
    std::latch running(4);
    std::vector<std::jthread> clients;
    for (int i = 0; i < 4; ++i) {
      clients.emplace_back([&] {
        bool first = true;
        try {
          for (int k = 0; k < 200; ++k) {
            auto client = fixture.connect();
            client.request("GET", "/healthz");
            if (std::exchange(first, false)) running.count_down();
          }
        } catch (const std::exception&) {
          if (first) running.count_down();
        }
      });
    }
    running.wait();
    fixture.server().drain(std::chrono::milliseconds(0));
    clients.clear();
  }
}

}  // namespace
}  // namespace xet::testing
