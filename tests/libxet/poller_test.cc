#include "libxet/poller.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "session/pipelines.h"
#include "support/http_script.h"

namespace xet::detail {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

TEST(Poller, CallsFirstAfterOneInterval) {
  const auto begun = Clock::now();
  std::promise<Clock::time_point> first;
  Poller poller(
      [&] {
        first.set_value(Clock::now());
        return false;
      },
      20ms);
  EXPECT_GE(first.get_future().get() - begun, 20ms);
}

TEST(Poller, GoesOnWhileItIsWanted) {
  std::atomic<int> n{0};
  std::promise<void> fifth;
  Poller poller(
      [&] {
        if (++n < 5) return true;
        fifth.set_value();
        return false;
      },
      1ms);
  fifth.get_future().get();
  poller.stop();
  EXPECT_EQ(n, 5);
}

TEST(Poller, HasNoThreadWithoutATick) {
  const auto before = testing::n_threads();
  Poller poller({}, 1ms);
  EXPECT_EQ(testing::n_threads(), before);
  EXPECT_FALSE(poller.is_own_thread());
  poller.request_stop();
  poller.stop();
}

TEST(Poller, StopWaitsForTheCallUnderWay) {
  testing::Gate begun;
  testing::Gate go_on;
  std::atomic<bool> ended{false};
  Poller poller(
      [&] {
        begun.open();
        go_on.wait();
        ended = true;
        return true;
      },
      1ms);
  ASSERT_TRUE(begun.wait());
  poller.request_stop();  // does not wait
  EXPECT_FALSE(ended);
  std::jthread other([&] { go_on.open(); });
  poller.stop();
  EXPECT_TRUE(ended);
}

TEST(Poller, SeveralMayStopItAtOnce) {
  for (int round = 0; round < 20; ++round) {
    std::atomic<bool> stopped{false};
    std::atomic<bool> late{false};
    Poller poller(
        [&] {
          late = late || stopped;
          return true;
        },
        1ms);
    {
      std::vector<std::jthread> stoppers;
      for (int i = 0; i < 3; ++i) {
        stoppers.emplace_back([&] {
          poller.stop();
          stopped = true;
        });
      }
    }
    EXPECT_FALSE(late);
  }
}

TEST(Poller, MayBeStoppedByItsTick) {
  std::atomic<int> n{0};
  std::promise<void> called;
  Poller* self = nullptr;
  testing::Gate known;
  Poller poller(
      [&] {
        known.wait();
        self->stop();
        ++n;
        called.set_value();
        return true;
      },
      1ms);
  self = &poller;
  known.open();
  called.get_future().get();
  poller.stop();
  EXPECT_EQ(n, 1);
}

// Its thread may run before the constructor has returned; and threads that come later get its thread's id
// again.
TEST(Poller, KnowsItsOwnThreadFromOthers) {
  for (int round = 0; round < 100; ++round) {
    const Poller* self = nullptr;
    testing::Gate known;
    std::promise<bool> is_own;
    Poller poller(
        [&] {
          known.wait();
          is_own.set_value(self->is_own_thread());
          return false;
        },
        1ms);
    self = &poller;
    known.open();
    EXPECT_FALSE(poller.is_own_thread());
    EXPECT_TRUE(is_own.get_future().get());
    poller.stop();
    std::jthread([&] { EXPECT_FALSE(poller.is_own_thread()); }).join();
  }
}

TEST(Poller, WaitsForAnIntervalHoweverLong) {
  std::atomic<int> n{0};
  {
    Poller poller([&] { return ++n > 0; }, std::chrono::milliseconds::max());
    std::jthread([] {}).join();
  }
  EXPECT_EQ(n, 0);
}

}  // namespace
}  // namespace xet::detail
