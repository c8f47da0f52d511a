#include "exec/timer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <mutex>
#include <vector>

#include "support/fake_clock.h"

namespace xet::exec {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

TEST(Timer, RunsTasksInTheOrderOfTheirTimesAndNotBefore) {
  Timer timer;
  std::latch done(3);
  std::mutex mutex;
  std::vector<int> order;
  const auto start = Clock::now();
  const auto task = [&](int i) {
    return [&, i] {
      {
        const std::scoped_lock lock(mutex);
        order.push_back(i);
      }
      EXPECT_GE(Clock::now() - start, milliseconds(i * 10));
      done.count_down();
    };
  };
  for (const int i : {3, 1, 2}) timer.at(start + milliseconds(i * 10), task(i));
  done.wait();
  EXPECT_EQ(order, std::vector<int>({1, 2, 3}));
}

TEST(Timer, AnEarlierTaskOvertakesOneThatIsWaitedFor) {
  Timer timer;
  std::latch done(1);
  timer.at(Clock::now() + std::chrono::hours(1), [] { FAIL(); });
  timer.at(Clock::now(), [&] { done.count_down(); });
  done.wait();
}

TEST(Timer, GoesByTheClockItWasGiven) {
  testing::FakeClock clock;
  Timer timer(clock);
  std::latch due(1);
  std::latch overdue(1);
  std::atomic<bool> too_early{true};
  timer.at(clock.now() + std::chrono::hours(24), [&] {
    EXPECT_FALSE(too_early);
    due.count_down();
  });
  timer.at(clock.now(), [&] { overdue.count_down(); });
  overdue.wait();
  too_early = false;
  clock.advance(std::chrono::hours(24));
  due.wait();
}

TEST(Timer, ATaskMayScheduleAnother) {
  Timer timer;
  std::latch done(1);
  timer.at(Clock::now(), [&] { timer.at(Clock::now(), [&] { done.count_down(); }); });
  done.wait();
}

TEST(Timer, StopDropsWhatHasNotBegun) {
  auto held = std::make_shared<int>();
  Timer timer;
  timer.at(Clock::now() + std::chrono::hours(1), [held] { FAIL(); });
  timer.stop();
  timer.at(Clock::now(), [held] { FAIL(); });
  EXPECT_EQ(held.use_count(), 1);
  timer.stop();
}

TEST(Timer, StopWaitsForATaskThatRuns) {
  for (int round = 0; round < 20; ++round) {
    Timer timer;
    std::latch begun(1);
    std::atomic<bool> over{false};
    timer.at(Clock::now(), [&] {
      begun.count_down();
      for (int i = 0; i < 1000; ++i) std::this_thread::yield();
      over = true;
    });
    begun.wait();
    timer.stop();
    EXPECT_TRUE(over);
  }
}

TEST(Timer, AnUnusedOneHasNoThreadToStop) {
  Timer timer;
}

}  // namespace
}  // namespace xet::exec
