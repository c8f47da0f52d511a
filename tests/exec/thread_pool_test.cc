#include "exec/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

namespace xet::exec {
namespace {

TEST(ThreadPool, RunsEveryTaskOnceOnItsThreads) {
  constexpr int kTasks = 5000;
  std::vector<std::atomic<int>> runs(kTasks);
  {
    ThreadPool pool(4);
    EXPECT_EQ(pool.size(), 4U);
    for (auto& run : runs) pool.submit([&run] { ++run; });
  }
  for (const auto& run : runs) EXPECT_EQ(run, 1);
}

TEST(ThreadPool, HasOneThreadPerUsableCoreByDefault) {
  EXPECT_GE(ThreadPool::usable_cores(), 1U);
  EXPECT_EQ(ThreadPool().size(), ThreadPool::usable_cores());
}

TEST(ThreadPool, RunsTasksOnAllThreadsAtOnce) {
  std::latch all_here(3);
  ThreadPool pool(3);
  for (int i = 0; i < 3; ++i) pool.submit([&] { all_here.arrive_and_wait(); });  // hangs unless all three run
  all_here.wait();
}

TEST(ThreadPool, RunsTasksThatFreeMemoryFirstAndEachKindInOrder) {
  std::vector<int> order;
  {
    std::latch blocked(1);
    ThreadPool pool(1);
    pool.submit([&] { blocked.wait(); });
    for (int i = 0; i < 3; ++i) {
      pool.submit([&order, i] { order.push_back(100 + i); }, Priority::kTakesMemory);
      pool.submit([&order, i] { order.push_back(i); }, Priority::kFreesMemory);
    }
    blocked.count_down();
  }
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 100, 101, 102}));
}

TEST(ThreadPool, DestructorRunsWhatIsQueuedAndWhatThatSubmits) {
  std::atomic<int> runs = 0;
  {
    ThreadPool pool(2);
    for (int i = 0; i < 100; ++i) {
      pool.submit([&] {
        ++runs;
        pool.submit(
            [&] {
              ++runs;
              pool.submit([&] { ++runs; });
            },
            Priority::kTakesMemory);
      });
    }
  }
  EXPECT_EQ(runs, 300);
}

TEST(ThreadPool, TakesTasksFromManyThreads) {
  std::atomic<int> runs = 0;
  {
    ThreadPool pool(2);
    std::vector<std::jthread> submitters;
    for (int t = 0; t < 4; ++t) {
      submitters.emplace_back([&] {
        for (int i = 0; i < 1000; ++i) pool.submit([&] { ++runs; });
      });
    }
  }
  EXPECT_EQ(runs, 4000);
}

// Threads that sleep while others are busy have to be called for every task that finds nobody: a pool that is
// asked again and again, with all of its threads needed each time, would hang otherwise.
TEST(ThreadPool, CallsAllItsThreadsHoweverTheyFellAsleep) {
  ThreadPool pool(4);
  for (int round = 0; round < 500; ++round) {
    const auto all_here = std::make_shared<std::latch>(5);  // the tasks look at it when this round is over
    for (int i = 0; i < 4; ++i) {
      pool.submit([all_here] { all_here->arrive_and_wait(); });
      if ((round + i) % 3 == 0) std::this_thread::yield();
    }
    all_here->arrive_and_wait();
  }
}

TEST(ThreadPool, MayEndWhileTheThreadThatSubmittedItsLastTaskReturns) {
  for (int round = 0; round < 500; ++round) {
    auto pool = std::make_unique<ThreadPool>(2);
    const auto ran = std::make_shared<std::latch>(1);
    std::jthread submitter([raw = pool.get(), ran] { raw->submit([ran] { ran->count_down(); }); });
    ran->wait();
    pool.reset();
  }
}

TEST(ThreadPool, RunsAndDestroysATaskOnAPoolThread) {
  struct Probe {
    std::thread::id* destroyed_on;
    explicit Probe(std::thread::id* out) : destroyed_on(out) {}
    Probe(Probe&& other) noexcept : destroyed_on(std::exchange(other.destroyed_on, nullptr)) {}
    ~Probe() {
      if (destroyed_on != nullptr) *destroyed_on = std::this_thread::get_id();
    }
    void operator()() {}
  };
  std::thread::id destroyed_on;
  {
    ThreadPool(1).submit(Probe(&destroyed_on));
  }
  EXPECT_NE(destroyed_on, std::thread::id());
  EXPECT_NE(destroyed_on, std::this_thread::get_id());
}

}  // namespace
}  // namespace xet::exec
