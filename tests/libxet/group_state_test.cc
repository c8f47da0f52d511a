#include "libxet/group_state.h"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include "support/http_script.h"
#include "support/matchers.h"

namespace xet::detail {
namespace {

using namespace std::chrono_literals;
using testing::FailsWith;
using testing::Gate;
using testing::IsOk;

constexpr auto kLong = 60s;

TEST(GroupState, RunsUntilItIsTold) {
  GroupState group;
  EXPECT_EQ(group.state(), TaskState::kRunning);
  EXPECT_FALSE(group.error().has_value());
  EXPECT_THAT(group.check_running(), IsOk());
  EXPECT_THAT(group.outcome(), FailsWith(ErrorCode::kInternal));
  EXPECT_FALSE(group.wait_for(1ms));
  group.join();  // nothing to wait for
}

TEST(GroupState, CompletesWithItsWork) {
  GroupState group;
  Gate go_on;
  ASSERT_THAT(group.begin([&]() -> Status {
    go_on.wait();
    return {};
  }),
              IsOk());
  EXPECT_EQ(group.state(), TaskState::kFinalizing);
  EXPECT_FALSE(group.is_over());
  EXPECT_THAT(group.check_running(), FailsWith(ErrorCode::kAlreadyDone));
  EXPECT_THAT(group.outcome(), FailsWith(ErrorCode::kInternal));
  go_on.open();
  ASSERT_TRUE(group.wait_for(std::chrono::milliseconds::max()));
  EXPECT_EQ(group.state(), TaskState::kCompleted);
  EXPECT_THAT(group.outcome(), IsOk());
  EXPECT_FALSE(group.cancel());
  EXPECT_EQ(group.state(), TaskState::kCompleted);
  EXPECT_THAT(group.begin([]() -> Status { return {}; }), FailsWith(ErrorCode::kAlreadyDone));
  group.join();
}

TEST(GroupState, FailsWithItsWork) {
  GroupState group;
  ASSERT_THAT(group.begin([]() -> Status { return fail(ErrorCode::kNoSpace, "full"); }), IsOk());
  ASSERT_TRUE(group.wait_for(kLong));
  EXPECT_EQ(group.state(), TaskState::kFailed);
  EXPECT_EQ(group.error()->code, ErrorCode::kNoSpace);
  EXPECT_THAT(group.check_running(), FailsWith(ErrorCode::kNoSpace, "failed before: full"));
  EXPECT_THAT(group.outcome(), FailsWith(ErrorCode::kNoSpace, "full"));
  EXPECT_FALSE(group.fail({ErrorCode::kIo, "again"}, [] { ADD_FAILURE(); }));
  group.join();
}

TEST(GroupState, CancelEndsItBeforeItsWork) {
  GroupState group;
  EXPECT_TRUE(group.cancel());
  EXPECT_FALSE(group.cancel());
  EXPECT_EQ(group.state(), TaskState::kCancelled);
  EXPECT_TRUE(group.wait_for(0ms));
  EXPECT_THAT(group.begin([]() -> Status {
    ADD_FAILURE();
    return {};
  }),
              FailsWith(ErrorCode::kCancelled));
  group.join();
}

TEST(GroupState, CancelDoesNotWaitForWorkAndJoinDoes) {
  GroupState group;
  Gate go_on;
  std::atomic<bool> ended{false};
  ASSERT_THAT(group.begin([&]() -> Status {
    go_on.wait();
    ended = true;
    return {};
  }),
              IsOk());
  EXPECT_TRUE(group.cancel());
  EXPECT_TRUE(group.wait_for(0ms));
  EXPECT_FALSE(ended);
  std::vector<std::jthread> others;
  for (int i = 0; i < 2; ++i) {
    others.emplace_back([&] {
      group.join();
      EXPECT_TRUE(ended);
    });
  }
  go_on.open();
  group.join();
  EXPECT_TRUE(ended);
  EXPECT_EQ(group.state(), TaskState::kCancelled) << "whatever the work says";
}

TEST(GroupState, FailLeavesTheRestToItsThread) {
  GroupState group;
  Gate go_on;
  std::atomic<bool> ended{false};
  EXPECT_TRUE(group.fail({ErrorCode::kInternal, "it"}, [&] {
    go_on.wait();
    ended = true;
  }));
  EXPECT_EQ(group.state(), TaskState::kFailed);
  EXPECT_TRUE(group.wait_for(0ms));
  EXPECT_FALSE(ended);
  go_on.open();
  group.join();
  EXPECT_TRUE(ended);
}

// Callers hold locks that the work takes, so that nothing is added meanwhile.
TEST(GroupState, BeginDoesNotWaitForWorkThatSomebodyWaitsFor) {
  for (int round = 0; round < 20; ++round) {
    GroupState group;
    std::mutex parts;
    Gate go_on;
    ASSERT_THAT(group.begin([&]() -> Status {
      go_on.wait();
      const std::lock_guard lock(parts);
      return {};
    }),
                IsOk());
    std::jthread joiner([&] {
      group.cancel();
      go_on.open();
      group.join();
    });
    const std::lock_guard lock(parts);
    ASSERT_TRUE(go_on.wait());
    for (int i = 0; i < round; ++i) std::this_thread::yield();
    EXPECT_THAT(group.begin([]() -> Status { return {}; }), FailsWith(ErrorCode::kCancelled));
  }
}

TEST(GroupState, OneOfManyEndsIt) {
  for (int round = 0; round < 50; ++round) {
    GroupState group;
    std::atomic<int> n_ends{0};
    std::atomic<int> n_begun{0};
    {
      std::vector<std::jthread> threads;
      for (int i = 0; i < 2; ++i) {
        threads.emplace_back([&] { n_ends += group.cancel() ? 1 : 0; });
        threads.emplace_back([&] { n_begun += group.begin([]() -> Status { return {}; }) ? 1 : 0; });
      }
    }
    group.join();
    EXPECT_LE(n_begun, 1);
    EXPECT_EQ(n_ends == 1, group.state() == TaskState::kCancelled);
    EXPECT_TRUE(group.is_over());
  }
}

}  // namespace
}  // namespace xet::detail
