#include <gtest/gtest.h>

#include <algorithm>
#include <latch>
#include <numeric>
#include <thread>
#include <vector>

#include "exec/thread_pool.h"

namespace xet::exec {
namespace {

TEST(Strand, RunsTasksInTheOrderOfPosting) {
  std::vector<int> order;  // no lock: the strand is the lock, and ThreadSanitizer watches
  {
    ThreadPool pool(4);
    const Strand strand(pool);
    for (int i = 0; i < 5000; ++i) strand.post([&order, i] { order.push_back(i); });
  }
  std::vector<int> expected(5000);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(order, expected);
}

TEST(Strand, RunsOneTaskAtATimeWhoeverPosts) {
  int inside = 0;  // plain on purpose
  int most_inside = 0;
  int runs = 0;
  {
    ThreadPool pool(4);
    const Strand strand(pool);
    std::vector<std::jthread> posters;
    for (int t = 0; t < 4; ++t) {
      posters.emplace_back([&, copy = strand] {
        for (int i = 0; i < 1000; ++i) {
          copy.post([&] {
            most_inside = std::max(most_inside, ++inside);
            ++runs;
            --inside;
          });
        }
      });
    }
  }
  EXPECT_EQ(runs, 4000);
  EXPECT_EQ(most_inside, 1);
}

TEST(Strand, KeepsTheOrderOfEachPoster) {
  std::vector<int> last(3, -1);
  bool ordered = true;
  {
    ThreadPool pool(3);
    const Strand strand(pool);
    std::vector<std::jthread> posters;
    for (size_t t = 0; t < last.size(); ++t) {
      posters.emplace_back([&, t] {
        for (int i = 0; i < 1000; ++i) {
          strand.post([&, t, i] {
            ordered = ordered && last[t] == i - 1;
            last[t] = i;
          });
        }
      });
    }
  }
  EXPECT_TRUE(ordered);
  EXPECT_EQ(last, (std::vector<int>{999, 999, 999}));
}

TEST(Strand, ManyStrandsShareAPoolWithoutWaitingForEachOther) {
  constexpr size_t kStrands = 200;
  std::vector<std::vector<int>> order(kStrands);
  {
    ThreadPool pool(2);
    std::vector<Strand> strands;
    for (size_t s = 0; s < kStrands; ++s) strands.emplace_back(pool);
    for (int i = 0; i < 50; ++i) {
      for (size_t s = 0; s < kStrands; ++s) strands[s].post([&order, s, i] { order[s].push_back(i); });
    }
  }
  std::vector<int> expected(50);
  std::iota(expected.begin(), expected.end(), 0);
  for (const auto& one : order) EXPECT_EQ(one, expected);
}

TEST(Strand, DifferentStrandsRunAtTheSameTime) {
  std::latch both_here(2);
  ThreadPool pool(2);
  const Strand a(pool);
  const Strand b(pool);
  a.post([&] { both_here.arrive_and_wait(); });  // hangs unless both run
  b.post([&] { both_here.arrive_and_wait(); });
  both_here.wait();
}

TEST(Strand, ATaskMayPostToItsOwnStrandAndRunsAfterwards) {
  std::vector<int> order;
  {
    ThreadPool pool(2);
    const Strand strand(pool);
    strand.post([&] {
      strand.post([&] { order.push_back(2); });
      order.push_back(1);
    });
  }
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST(Strand, TasksOutliveTheLastHandle) {
  int runs = 0;
  {
    std::latch blocked(1);
    ThreadPool pool(1);
    pool.submit([&] { blocked.wait(); });
    {
      const Strand strand(pool);
      for (int i = 0; i < 10; ++i) strand.post([&] { ++runs; });
    }
    blocked.count_down();
  }
  EXPECT_EQ(runs, 10);
}

}  // namespace
}  // namespace xet::exec
