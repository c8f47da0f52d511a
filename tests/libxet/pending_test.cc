#include "libxet/pending.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "support/matchers.h"

namespace xet::detail {
namespace {

using namespace std::chrono_literals;
using testing::FailsWith;

TEST(Pending, HasNothingAtFirst) {
  Pending<int> pending;
  EXPECT_FALSE(pending.peek().has_value());
  EXPECT_FALSE(pending.wait_for(0ms));
  EXPECT_FALSE(pending.wait_for(1ms));
  EXPECT_FALSE(pending.wait_for(std::chrono::milliseconds::min()));
}

TEST(Pending, KeepsTheFirstResult) {
  Pending<int> pending;
  pending.set(fail(ErrorCode::kIo, "first"));
  pending.set(2);
  EXPECT_THAT(*pending.peek(), FailsWith(ErrorCode::kIo, "first"));
  EXPECT_THAT(*pending.peek(), FailsWith(ErrorCode::kIo)) << "looking takes nothing away";
}

TEST(Pending, WakesAllWhoWaitForHoweverLong) {
  Pending<int> pending;
  std::atomic<int> woken{0};
  {
    std::vector<std::jthread> waiters;
    for (const auto limit : {60'000ms, std::chrono::milliseconds::max()}) {
      waiters.emplace_back([&, limit] { woken += pending.wait_for(limit) ? 1 : 0; });
    }
    pending.set(3);
  }
  EXPECT_EQ(woken, 2);
  EXPECT_EQ(**pending.peek(), 3);
}

TEST(Pending, OfSeveralThatSetOneCounts) {
  for (int round = 0; round < 50; ++round) {
    Pending<int> pending;
    std::vector<std::jthread> setters;
    for (int i = 0; i < 4; ++i) setters.emplace_back([&pending, i] { pending.set(i); });
    ASSERT_TRUE(pending.wait_for(60s));
    const int first = **pending.peek();
    setters.clear();
    EXPECT_EQ(**pending.peek(), first);
  }
}

}  // namespace
}  // namespace xet::detail
