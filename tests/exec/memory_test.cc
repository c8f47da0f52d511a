#include "exec/memory.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <future>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

#include "support/fake_clock.h"
#include "support/generators.h"
#include "support/matchers.h"

namespace xet::exec {
namespace {

using testing::FailsWith;
using testing::IsOk;

constexpr auto kAtOnce = std::chrono::seconds(30);  // for what must happen without anybody's further help

TEST(MemoryBudget, GivesWhatIsFreeAndTakesItBack) {
  MemoryBudget budget(100);
  {
    const auto most = budget.reserve(90, {});
    ASSERT_THAT(most, IsOk());
    EXPECT_EQ(most->bytes(), 90U);
    EXPECT_FALSE(budget.try_reserve(11));
    EXPECT_TRUE(budget.try_reserve(10));
  }
  EXPECT_TRUE(budget.try_reserve(100));
}

TEST(MemoryBudget, CutsAReservationToTheTotal) {
  MemoryBudget budget(100);
  EXPECT_EQ(budget.reserve(1000, {})->bytes(), 100U);
}

TEST(MemoryBudget, AWaiterIsServedWhenMemoryComesBack) {
  MemoryBudget budget(100);
  std::optional all = budget.reserve(100, {});
  auto waiter = std::async(std::launch::async, [&] { return budget.reserve(60, {}).has_value(); });
  while (!budget.has_waiters()) std::this_thread::yield();
  EXPECT_FALSE(budget.try_reserve(1));  // nobody overtakes a waiter
  all.reset();
  EXPECT_TRUE(waiter.get());
}

TEST(MemoryBudget, WaitersAreServedInTheOrderTheyCame) {
  MemoryBudget budget(100);
  std::optional some = budget.reserve(60, {});
  std::atomic<bool> second_served{false};
  auto first = std::async(std::launch::async, [&] {
    const auto mine = budget.reserve(100, {});
    return !second_served.load();
  });
  while (!budget.has_waiters()) std::this_thread::yield();
  auto second = std::async(std::launch::async, [&] {
    const auto mine = budget.reserve(10, {});  // would fit at once
    second_served = true;
  });
  some.reset();
  EXPECT_TRUE(first.get());
  second.get();
}

TEST(MemoryBudget, AStopTokenEndsTheWait) {
  MemoryBudget budget(100);
  const auto all = budget.reserve(100, {});
  std::stop_source stop;
  auto waiter = std::async(std::launch::async, [&] { return budget.reserve(1, stop.get_token()); });
  while (!budget.has_waiters()) std::this_thread::yield();
  stop.request_stop();
  EXPECT_THAT(waiter.get(), FailsWith(ErrorCode::kCancelled));
  EXPECT_FALSE(budget.has_waiters());
  EXPECT_THAT(budget.reserve(1, stop.get_token()), FailsWith(ErrorCode::kCancelled));
}

TEST(MemoryBudget, ADeadlineEndsTheWait) {
  MemoryBudget budget(100);
  const auto all = budget.reserve(100, {});
  const auto past = std::chrono::steady_clock::now() - std::chrono::seconds(1);
  EXPECT_THAT(budget.reserve(1, {}, past), FailsWith(ErrorCode::kDeadline));
}

TEST(MemoryBudget, AWaiterThatGivesUpLetsTheNextOneThrough) {
  MemoryBudget budget(100);
  const auto half = budget.reserve(50, {});
  std::stop_source stop;
  auto large = std::async(std::launch::async, [&] { return budget.reserve(80, stop.get_token()); });
  while (!budget.has_waiters()) std::this_thread::yield();
  auto small = std::async(std::launch::async, [&] { return budget.reserve(20, {}).has_value(); });
  stop.request_stop();
  EXPECT_THAT(large.get(), FailsWith(ErrorCode::kCancelled));
  EXPECT_TRUE(small.get());
}

TEST(BufferPool, HandsBuffersRoundWithoutMakingMoreThanItMay) {
  MemoryBudget budget(10 * 4096);
  const auto covered = budget.reserve(2 * 4096, {});
  BufferPool pool(budget, 4096, 2, 5);
  std::vector<Buffer> taken;
  while (auto buffer = pool.try_acquire()) taken.push_back(std::move(buffer));
  EXPECT_EQ(taken.size(), 5U);
  EXPECT_EQ(taken[0].bytes().size(), 4096U);
  std::byte* const at = taken[3].bytes().data();
  taken.erase(taken.begin() + 3);
  EXPECT_EQ(pool.try_acquire().bytes().data(), at);
}

TEST(BufferPool, MakesOnlyTheGuaranteedOnesWhenTheBudgetIsUsedUp) {
  MemoryBudget budget(2 * 4096);
  const auto covered = budget.reserve(2 * 4096, {});
  BufferPool pool(budget, 4096, 2, 5);
  const auto first = pool.try_acquire();
  const auto second = pool.try_acquire();
  EXPECT_TRUE(first);
  EXPECT_TRUE(second);
  EXPECT_FALSE(pool.try_acquire());
}

TEST(BufferPool, WaitersGetReturnedBuffersInTheirOrder) {
  MemoryBudget budget(4096);
  BufferPool pool(budget, 4096, 1, 1);
  Buffer held = pool.try_acquire();
  std::vector<int> order;
  std::vector<Buffer> got(2);
  for (int i = 0; i < 2; ++i) {
    pool.acquire([&, i](Buffer buffer) {
      order.push_back(i);
      got[static_cast<size_t>(i)] = std::move(buffer);
    });
  }
  EXPECT_EQ(order, std::vector<int>());
  held = Buffer();
  EXPECT_EQ(order, std::vector<int>({0}));
  got[0] = Buffer();
  EXPECT_EQ(order, std::vector<int>({0, 1}));
}

TEST(BufferPool, CancelAnswersWithEmptyBuffers) {
  MemoryBudget budget(4096);
  BufferPool pool(budget, 4096, 1, 1);
  const Buffer held = pool.try_acquire();
  int n_empty = 0;
  const auto count = [&](Buffer buffer) { n_empty += buffer ? 0 : 1; };
  pool.acquire(count);
  EXPECT_EQ(n_empty, 0);
  pool.cancel();
  EXPECT_EQ(n_empty, 1);
  pool.acquire(count);
  EXPECT_EQ(n_empty, 2);
  EXPECT_FALSE(pool.try_acquire());
}

TEST(BufferPool, BuffersMayOutliveIt) {
  MemoryBudget budget(2 * 4096);
  Buffer left;
  {
    BufferPool pool(budget, 4096, 0, 2);
    left = pool.try_acquire();
    const auto other = pool.try_acquire();
  }
  EXPECT_FALSE(budget.try_reserve(2 * 4096));
  left = Buffer();
  EXPECT_TRUE(budget.try_reserve(2 * 4096));
}

TEST(BufferPool, BuffersAndReservationsMayOutliveTheBudget) {
  auto budget = std::make_unique<MemoryBudget>(4 * 4096);
  auto pool = std::make_unique<BufferPool>(*budget, 4096, 1, 2);
  auto reservation = budget->try_reserve(4096);
  auto buffer = pool->try_acquire();
  auto extra = pool->try_acquire();
  ASSERT_TRUE(reservation && buffer && extra);
  pool.reset();
  budget.reset();
  std::memset(buffer.bytes().data(), 1, 4096);  // and no sanitizer says anything when all three go
}

TEST(MemoryBudget, WaitsUntilTheDeadlineOfItsClock) {
  testing::FakeClock clock;
  MemoryBudget budget(100, clock);
  const auto all = budget.reserve(100, {});
  auto waiter = std::async(std::launch::async,
                           [&] { return budget.reserve(1, {}, clock.now() + std::chrono::hours(24)); });
  while (!budget.has_waiters()) std::this_thread::yield();
  clock.advance(std::chrono::hours(24));
  ASSERT_EQ(waiter.wait_for(kAtOnce), std::future_status::ready);
  EXPECT_THAT(waiter.get(), FailsWith(ErrorCode::kDeadline));
}

TEST(BufferPool, IdleExtraMemoryGoesToWhoeverWaits) {
  MemoryBudget budget(4 * 4096);
  BufferPool pool(budget, 4096, 0, 4);
  std::vector<Buffer> taken;
  while (auto buffer = pool.try_acquire()) taken.push_back(std::move(buffer));
  ASSERT_EQ(taken.size(), 4U);
  taken.resize(2);  // two are idle now, and would stay
  auto waiter = std::async(std::launch::async, [&] { return budget.reserve(2 * 4096, {}); });
  ASSERT_EQ(waiter.wait_for(kAtOnce), std::future_status::ready);
  EXPECT_THAT(waiter.get(), IsOk());
}

TEST(BufferPool, ExtraMemoryThatBecomesIdleLaterGoesToWhoeverWaits) {
  MemoryBudget budget(4 * 4096);
  BufferPool pool(budget, 4096, 0, 4);
  std::vector<Buffer> taken;
  while (auto buffer = pool.try_acquire()) taken.push_back(std::move(buffer));
  std::stop_source stop;
  auto waiter = std::async(std::launch::async, [&] { return budget.reserve(3 * 4096, stop.get_token()); });
  while (!budget.has_waiters()) std::this_thread::yield();
  taken.resize(1);
  if (waiter.wait_for(kAtOnce) != std::future_status::ready) stop.request_stop();
  EXPECT_THAT(waiter.get(), IsOk());
}

TEST(BufferPool, ABusyPoolGivesExtraMemoryUpAndGoesOnWithTheGuaranteed) {
  MemoryBudget budget(4 * 4096);
  const auto covered = budget.reserve(4096, {});
  BufferPool pool(budget, 4096, 1, 4);
  std::vector<Buffer> taken;
  while (auto buffer = pool.try_acquire()) taken.push_back(std::move(buffer));
  ASSERT_EQ(taken.size(), 4U);
  int n_served = 0;
  for (int i = 0; i < 2; ++i) pool.acquire([&](Buffer) { ++n_served; });  // given back at once, for the next
  std::stop_source stop;
  auto waiter = std::async(std::launch::async, [&] { return budget.reserve(3 * 4096, stop.get_token()); });
  while (!budget.has_waiters()) std::this_thread::yield();
  taken.clear();
  EXPECT_EQ(n_served, 2);
  if (waiter.wait_for(kAtOnce) != std::future_status::ready) stop.request_stop();
  EXPECT_THAT(waiter.get(), IsOk());
}

TEST(BufferPool, NeverMapsMoreThanTheBudget) {
  constexpr size_t kBuffer = 16384;
  MemoryBudget budget(20 * kBuffer);
  std::atomic<bool> failed{false};
  std::vector<std::thread> sessions;
  for (uint64_t s = 0; s < 6; ++s) {
    sessions.emplace_back([&, s] {
      testing::SplitMix64 random(s);
      for (int round = 0; round < 30; ++round) {
        const auto covered = budget.reserve(4 * kBuffer, {});
        BufferPool pool(budget, kBuffer, 4, 16);
        std::vector<Buffer> held;
        for (int step = 0; step < 100; ++step) {
          if (random.below(2) == 0 && !held.empty()) {
            held.erase(held.begin() + static_cast<ptrdiff_t>(random.below(held.size())));
          } else if (auto buffer = pool.try_acquire()) {
            buffer.bytes()[0] = std::byte(step);
            held.push_back(std::move(buffer));
          } else if (held.size() < 4) {
            failed = true;  // a guaranteed one was not to be had
          }
        }
      }
    });
  }
  for (auto& session : sessions) session.join();
  EXPECT_FALSE(failed);
  EXPECT_LE(budget.usage().most_reserved, budget.total_bytes());
  EXPECT_LE(budget.usage().most_mapped, budget.total_bytes());
  EXPECT_EQ(budget.usage().mapped, 0U);
  EXPECT_EQ(budget.usage().reserved, 0U);
}

}  // namespace
}  // namespace xet::exec
