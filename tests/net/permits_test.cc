#include "net/permits.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <optional>
#include <thread>
#include <vector>

#include "support/fake_clock.h"

namespace xet::net {
namespace {

constexpr ConcurrencyBounds fixed(size_t n) {
  return {.initial = n, .min = n, .max = n};
}

// Releasing one may put another into the vector, which must not be in the middle of something then.
void release_last(std::vector<Permit>& held, size_t until) {
  while (held.size() > until) {
    Permit last = std::move(held.back());
    held.pop_back();
    last.release();
  }
}

TEST(Permits, AreGrantedAtOnceAndThenInOrder) {
  std::vector<int> order;
  std::vector<Permit> held;
  held.reserve(200);
  Permits permits(fixed(2));
  for (int i = 0; i < 5; ++i) {
    permits.acquire({}, [&, i](Permit permit) {
      EXPECT_TRUE(permit);
      order.push_back(i);
      held.push_back(std::move(permit));
    });
  }
  EXPECT_EQ(order, std::vector({0, 1}));
  EXPECT_EQ(permits.in_use(), 2);
  EXPECT_EQ(permits.waiting(), 3);
  held.front().release();
  EXPECT_FALSE(held.front());
  EXPECT_EQ(order, std::vector({0, 1, 2}));
  held[1] = Permit();
  held[2] = Permit();
  EXPECT_EQ(order, std::vector({0, 1, 2, 3, 4}));
  release_last(held, 0);
  EXPECT_EQ(permits.in_use(), 0);
}

TEST(Permits, ACancelledWaiterLeavesTheQueue) {
  Permits permits(fixed(1));
  std::optional<Permit> held;
  permits.acquire({}, [&](Permit permit) { held = std::move(permit); });
  std::stop_source stop;
  std::vector<std::string> events;
  permits.acquire(stop.get_token(),
                  [&](Permit permit) { events.emplace_back(permit ? "a" : "a cancelled"); });
  permits.acquire({}, [&](Permit permit) { events.emplace_back(permit ? "b" : "b cancelled"); });
  EXPECT_EQ(permits.waiting(), 2);
  stop.request_stop();
  EXPECT_EQ(events, std::vector<std::string>({"a cancelled"}));
  EXPECT_EQ(permits.waiting(), 1);
  held.reset();
  EXPECT_EQ(events, std::vector<std::string>({"a cancelled", "b"}));
  permits.acquire(stop.get_token(),
                  [&](Permit permit) { events.emplace_back(permit ? "c" : "c cancelled"); });
  EXPECT_EQ(events.back(), "c cancelled");
  EXPECT_EQ(permits.in_use(), 0);
}

TEST(Permits, AStopAfterTheGrantTakesNothingBack) {
  Permits permits(fixed(1));
  std::stop_source stop;
  std::optional<Permit> first;
  std::optional<Permit> second;
  permits.acquire({}, [&](Permit permit) { first = std::move(permit); });
  permits.acquire(stop.get_token(), [&](Permit permit) { second = std::move(permit); });
  first.reset();
  ASSERT_TRUE(second && *second);
  stop.request_stop();
  EXPECT_TRUE(*second);
  EXPECT_EQ(permits.in_use(), 1);
}

TEST(Permits, AThousandCallbacksThatReleaseAtOnceDoNotRecurse) {
  Permits permits(fixed(1));
  std::optional<Permit> held;
  permits.acquire({}, [&](Permit permit) { held = std::move(permit); });
  int depth = 0;
  int deepest = 0;
  int n = 0;
  for (int i = 0; i < 1000; ++i) {
    permits.acquire({}, [&](Permit permit) {
      deepest = std::max(deepest, ++depth);
      permit.release();
      ++n;
      --depth;
    });
  }
  held.reset();
  EXPECT_EQ(n, 1000);
  EXPECT_EQ(deepest, 1);
}

TEST(Permits, OutliveTheirOwnerAndWaitersGetEmptyOnes) {
  std::optional<Permit> held;
  std::vector<bool> granted;
  std::stop_source stop;
  {
    Permits permits(fixed(1));
    permits.acquire({}, [&](Permit permit) { held = std::move(permit); });
    permits.acquire(stop.get_token(), [&](Permit permit) { granted.push_back(static_cast<bool>(permit)); });
    permits.acquire({}, [&](Permit permit) { granted.push_back(static_cast<bool>(permit)); });
  }
  EXPECT_EQ(granted, std::vector<bool>({false, false}));
  stop.request_stop();
  held->begin();
  held->moved(1);
  held->end(TransferEnd::kOk);
  held.reset();
  EXPECT_EQ(granted.size(), 2);
}

TEST(Permits, FollowTheController) {
  testing::FakeClock clock;
  std::vector<Permit> held;
  held.reserve(200);
  Permits permits({.initial = 4, .min = 1, .max = 64}, clock);
  for (int i = 0; i < 100; ++i) {
    permits.acquire({}, [&](Permit permit) { held.push_back(std::move(permit)); });
  }
  EXPECT_EQ(held.size(), 4);
  // Each of them moves as much as the others, however many they are: more of them are worth it.
  for (int tick = 0; tick < 400; ++tick) {
    clock.advance(std::chrono::milliseconds(100));
    // NOLINTNEXTLINE(modernize-loop-convert): what a transfer moves lets more of them begin
    for (size_t i = 0, n = held.size(); i < n; ++i) held[i].moved(1'000'000);
  }
  EXPECT_EQ(permits.limit(), 64);
  EXPECT_EQ(held.size(), 64);
  clock.advance(std::chrono::seconds(1));
  held.front().begin();
  clock.advance(std::chrono::seconds(1));
  held.front().end(TransferEnd::kThrottled);
  EXPECT_EQ(permits.limit(), 32);
  EXPECT_EQ(permits.in_use(), 64) << "nobody is interrupted";
  release_last(held, 40);
  EXPECT_EQ(permits.in_use(), 40) << "what comes back is not handed out";
  EXPECT_EQ(permits.waiting(), 36);
  release_last(held, 32);
  EXPECT_EQ(permits.waiting(), 36);
  Permit last = std::move(held.back());
  held.pop_back();
  last.release();
  EXPECT_EQ(permits.in_use(), 32);
  EXPECT_EQ(permits.waiting(), 35);
}

TEST(Permits, FromManyThreads) {
  constexpr size_t kLimit = 3;
  constexpr int kThreads = 4;
  constexpr int kEach = 500;
  Permits permits(fixed(kLimit));
  std::atomic<size_t> running = 0;
  std::atomic<size_t> most = 0;
  std::atomic<int> granted = 0;
  std::atomic<int> cancelled = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kEach; ++i) {
          std::stop_source stop;
          std::latch done(1);
          Permit mine;
          permits.acquire(stop.get_token(), [&](Permit permit) {
            if (permit) {
              const size_t now = ++running;
              size_t seen = most;
              while (now > seen && !most.compare_exchange_weak(seen, now)) {
              }
              ++granted;
              mine = std::move(permit);
            } else {
              ++cancelled;
            }
            done.count_down();
          });
          if ((i + t) % 3 == 0) stop.request_stop();
          done.wait();
          if (mine) {
            mine.moved(1000);
            mine.end(TransferEnd::kOk);
            --running;
            mine.release();
          }
        }
      });
    }
  }
  EXPECT_EQ(granted + cancelled, kThreads * kEach);
  EXPECT_LE(most, kLimit);
  EXPECT_EQ(permits.in_use(), 0);
  EXPECT_EQ(permits.waiting(), 0);
}

}  // namespace
}  // namespace xet::net
