#include "cas/shared_flight.h"

#include <gmock/gmock.h>

#include <atomic>
#include <thread>
#include <vector>

#include "support/matchers.h"

namespace xet::cas {
namespace {

using testing::FailsWith;

/// Work that lands when the test says so.
struct Pending {
  size_t n_begun = 0;
  std::stop_token stop;
  Callback<int> land;
  SharedFlight<int>::Work work() {
    return [this](std::stop_token stop_token, Callback<int> done) {
      ++n_begun;
      stop = std::move(stop_token);
      land = std::move(done);
    };
  }
};

TEST(SharedFlight, AllWhoComeMeanwhileShareTheOutcome) {
  SharedFlight<int> flight;
  Pending pending;
  std::vector<int> got;
  for (int i = 0; i < 3; ++i)
    flight.join({}, [&](Result<int> result) { got.push_back(result.value()); }, pending.work());
  EXPECT_EQ(pending.n_begun, 1u);
  EXPECT_TRUE(got.empty());
  pending.land(7);
  EXPECT_EQ(got, (std::vector<int>{7, 7, 7}));
  flight.join({}, [&](Result<int>) {}, pending.work());
  EXPECT_EQ(pending.n_begun, 2u);
  pending.land(8);
}

TEST(SharedFlight, AFailureIsSharedAndForgotten) {
  SharedFlight<int> flight;
  Pending pending;
  size_t n_failed = 0;
  for (int i = 0; i < 3; ++i)
    flight.join({}, [&](Result<int> result) { n_failed += result ? 0 : 1; }, pending.work());
  pending.land(fail(ErrorCode::kUnavailable, "no"));
  EXPECT_EQ(n_failed, 3u);
  flight.join({}, [&](Result<int> result) { EXPECT_EQ(result.value(), 1); }, pending.work());
  pending.land(1);
}

TEST(SharedFlight, OneWhoStopsLeavesTheOthers) {
  SharedFlight<int> flight;
  Pending pending;
  std::stop_source stop;
  std::optional<Result<int>> stopped;
  std::optional<Result<int>> stays;
  flight.join(stop.get_token(), [&](Result<int> result) { stopped = std::move(result); }, pending.work());
  flight.join({}, [&](Result<int> result) { stays = std::move(result); }, pending.work());
  stop.request_stop();
  ASSERT_TRUE(stopped);
  EXPECT_THAT(*stopped, FailsWith(ErrorCode::kCancelled));
  EXPECT_FALSE(pending.stop.stop_requested());
  pending.land(3);
  EXPECT_EQ(stays.value().value(), 3);
}

TEST(SharedFlight, WithoutWaitersTheWorkIsStopped) {
  SharedFlight<int> flight;
  Pending pending;
  std::stop_source stop;
  flight.join(stop.get_token(), [&](Result<int>) {}, pending.work());
  stop.request_stop();
  EXPECT_TRUE(pending.stop.stop_requested());
  // whoever comes now does not join what is dying
  auto dying = std::move(pending.land);
  std::optional<Result<int>> next;
  flight.join({}, [&](Result<int> result) { next = std::move(result); }, pending.work());
  EXPECT_EQ(pending.n_begun, 2u);
  dying(fail(ErrorCode::kCancelled, "stopped"));
  EXPECT_FALSE(next);
  pending.land(5);
  EXPECT_EQ(next.value().value(), 5);
}

TEST(SharedFlight, WorkMayLandAtOnce) {
  SharedFlight<int> flight;
  int got = 0;
  for (int i = 1; i < 3; ++i) {
    flight.join(
        {}, [&](Result<int> result) { got = result.value(); },
        [&](std::stop_token, Callback<int> done) { done(i); });
    EXPECT_EQ(got, i);
  }
}

TEST(SharedFlight, EveryoneIsAnsweredOnceWhateverRaces) {
  for (int round = 0; round < 200; ++round) {
    SharedFlight<int> flight;
    std::atomic<int> answered = 0;
    std::stop_source stop;
    std::vector<std::jthread> threads;
    Sync<std::vector<Callback<int>>> landings;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&] {
        flight.join(
            stop.get_token(), [&](Result<int>) { ++answered; },
            [&](std::stop_token, Callback<int> done) { landings.lock()->push_back(std::move(done)); });
      });
    }
    threads.emplace_back([&] { stop.request_stop(); });
    threads.emplace_back([&] {
      for (auto& land : std::exchange(*landings.lock(), {})) land(1);
    });
    threads.clear();
    for (auto& land : std::exchange(*landings.lock(), {})) land(1);
    EXPECT_EQ(answered, 3);
  }
}

}  // namespace
}  // namespace xet::cas
