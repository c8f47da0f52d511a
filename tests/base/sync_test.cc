#include "base/sync.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <vector>

#include "support/fake_clock.h"

namespace xet {
namespace {

TEST(Sync, LetsOneThreadInAtATime) {
  Sync<int> count(5);
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 10000; ++i) ++*count.lock();
      });
    }
  }
  EXPECT_EQ(*count.lock(), 40005);
}

TEST(Sync, WaitsUntilAnotherThreadChangedTheValue) {
  struct State {
    bool ready = false;
    int answer = 0;
  };
  Sync<State> state;
  std::condition_variable changed;
  std::jthread other([&] {
    {
      auto guard = state.lock();
      guard->answer = 42;
      guard->ready = true;
    }
    changed.notify_all();
  });
  auto guard = state.lock();
  guard.wait(changed, [&] { return guard->ready; });
  EXPECT_EQ(guard->answer, 42);
}

TEST(Sync, WaitUntilGoesByTheClock) {
  testing::FakeClock clock;
  Sync<bool> ready(false);
  std::condition_variable changed;
  const auto until = clock.now() + std::chrono::hours(24);
  std::thread later([&] { clock.advance(std::chrono::hours(24)); });
  {
    auto guard = ready.lock();
    EXPECT_FALSE(guard.wait_until(clock, changed, until, [&] { return *guard; }));
  }
  later.join();
}

TEST(Sync, WaitUntilGivesUpAtItsTime) {
  Sync<bool> ready(false);
  std::condition_variable changed;
  const auto past = std::chrono::steady_clock::now() - std::chrono::seconds(1);
  auto guard = ready.lock();
  EXPECT_FALSE(guard.wait_until(system_clock(), changed, past, [&] { return *guard; }));
  *guard = true;
  EXPECT_TRUE(guard.wait_until(system_clock(), changed, past, [&] { return *guard; }))
      << "what holds already counts";
}

}  // namespace
}  // namespace xet
