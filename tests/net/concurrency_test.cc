#include "net/concurrency.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "support/generators.h"

namespace xet::net {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Time = ConcurrencyController::Time;

constexpr milliseconds kTick{10};

// A link that its streams share evenly, and a server at its end. Each transfer shakes hands for `latency`,
// then gets faster from tick to tick until it has its share, or what one connection can have.
struct Link {
  double bytes_per_second = 125e6;
  double per_connection = 1e12;
  milliseconds latency{20};
  uint64_t transfer_bytes = 16'000'000;
  size_t throttles_above = SIZE_MAX;  ///< transfers at once, else 429
  double noise = 0.02;                ///< of the link's rate, from tick to tick
  size_t demand = 1000;               ///< transfers that the caller wants at once
};

class Simulation {
 public:
  explicit Simulation(const Link& link, ConcurrencyBounds bounds = {})
      : link_(link), controller_(bounds, now_) {}

  // Runs for `time`; returns the mean rate as a part of what `best` bytes per second would be.
  double run(seconds time, double best) {
    const uint64_t before = total_;
    const Time end = now_ + time;
    lowest_ = SIZE_MAX;
    highest_ = 0;
    while (now_ < end) tick();
    return static_cast<double>(total_ - before) / (best * static_cast<double>(time.count()));
  }

  Link& link() { return link_; }
  size_t limit() const { return controller_.limit(); }
  size_t lowest() const { return lowest_; }  // limit during the last run
  size_t highest() const { return highest_; }
  size_t throttled() const { return throttled_; }

 private:
  struct Transfer {
    Time began;
    Time flows_from;
    double left = 0;
    Time retry_at = Time::min();  // it was throttled, keeps its permit, and sleeps until then
    bool asleep = false;
  };

  void begin(Transfer& transfer) {
    const auto awake =
        static_cast<size_t>(std::ranges::count_if(transfers_, [](const auto& t) { return !t.asleep; }));
    transfer.asleep = false;
    transfer.began = now_;
    transfer.flows_from = now_ + link_.latency;
    transfer.left = static_cast<double>(link_.transfer_bytes);
    if (awake > link_.throttles_above) {
      transfer.asleep = true;
      transfer.retry_at = now_ + seconds(1) + milliseconds(random_.below(2000));
      ++throttled_;
      controller_.ended(TransferEnd::kThrottled, transfer.began, now_ + milliseconds(1));
    }
  }

  void tick() {
    now_ += kTick;
    while (transfers_.size() < std::min(controller_.limit(), link_.demand)) {
      transfers_.emplace_back();
      controller_.set_in_use(transfers_.size(), now_);
      begin(transfers_.back());
    }
    for (auto& t : transfers_) {
      if (t.asleep && now_ >= t.retry_at) begin(t);
    }
    const auto flows = [&](const Transfer& t) { return !t.asleep && now_ >= t.flows_from; };
    const auto flowing = static_cast<double>(std::ranges::count_if(transfers_, flows));
    const double jitter = 1 + link_.noise * (static_cast<double>(random_.below(2001)) / 1000 - 1);
    const double share = std::min(link_.per_connection, link_.bytes_per_second * jitter / flowing) * 0.01;
    for (auto& t : transfers_) {
      if (!flows(t)) continue;
      const double n = std::min(share, t.left);
      t.left -= n;
      total_ += static_cast<uint64_t>(n);
      controller_.moved(static_cast<uint64_t>(n), now_);
    }
    for (size_t i = 0; i < transfers_.size();) {
      if (transfers_[i].left >= 1) {
        ++i;
        continue;
      }
      controller_.ended(TransferEnd::kOk, transfers_[i].began, now_);
      transfers_.erase(transfers_.begin() + static_cast<ptrdiff_t>(i));
      controller_.set_in_use(transfers_.size(), now_);
    }
    lowest_ = std::min(lowest_, controller_.limit());
    highest_ = std::max(highest_, controller_.limit());
  }

  Link link_;
  Time now_{hours(1)};
  ConcurrencyController controller_;
  std::vector<Transfer> transfers_;
  testing::SplitMix64 random_{7};
  uint64_t total_ = 0;
  size_t throttled_ = 0;
  size_t lowest_ = 0;
  size_t highest_ = 0;
};

constexpr double kMbit = 125e3;

TEST(Concurrency, BeginsAtTheInitialLimitInsideTheBounds) {
  const Time now{hours(1)};
  EXPECT_EQ(ConcurrencyController({}, now).limit(), 4);
  EXPECT_EQ(ConcurrencyController({.initial = 0, .min = 0, .max = 0}, now).limit(), 1);
  EXPECT_EQ(ConcurrencyController({.initial = 9, .min = 3, .max = 2}, now).limit(), 3);
  EXPECT_EQ(ConcurrencyController({.initial = 100}, now).limit(), 64);
}

TEST(Concurrency, FillsEveryLinkWithinTwentySeconds) {
  struct Row {
    const char* name;
    Link link;
    double best;
  };
  const std::vector<Row> rows = {
      {"one connection fills it", {.bytes_per_second = 100 * kMbit}, 100 * kMbit},
      {"slow line", {.bytes_per_second = 20 * kMbit, .latency = milliseconds(40)}, 20 * kMbit},
      {"very slow line", {.bytes_per_second = 1 * kMbit, .latency = milliseconds(100)}, 1 * kMbit},
      {"10 connections", {.per_connection = 12.5e6, .latency = milliseconds(100)}, 125e6},
      {"far away", {.per_connection = 13e6, .latency = milliseconds(900)}, 125e6},
      {"25 connections", {.bytes_per_second = 1.25e9, .per_connection = 50e6}, 1.25e9},
      {"nothing but the maximum helps", {.bytes_per_second = 1e12, .per_connection = 10e6}, 640e6},
      {"small pieces",
       {.bytes_per_second = 60e6, .latency = milliseconds(50), .transfer_bytes = 200'000},
       60e6},
  };
  for (const auto& row : rows) {
    Simulation simulation(row.link);
    simulation.run(seconds(20), row.best);
    EXPECT_GE(simulation.run(seconds(60), row.best), 0.9) << row.name << ", limit " << simulation.limit();
  }
}

TEST(Concurrency, DoesNotGrowWhereGrowingDoesNotHelp) {
  Simulation simulation({.bytes_per_second = 100 * kMbit});
  simulation.run(seconds(600), 1);
  EXPECT_LE(simulation.highest(), 8) << "one doubling that does not pay";
  EXPECT_LE(simulation.limit(), 6);
}

TEST(Concurrency, StaysWithinAQuarterOfWhereItSettled) {
  for (const double noise : {0.0, 0.02, 0.1, 0.3}) {
    Simulation simulation({.per_connection = 12.5e6, .latency = milliseconds(50), .noise = noise});
    simulation.run(seconds(30), 125e6);
    const size_t settled = simulation.limit();
    simulation.run(seconds(300), 125e6);
    EXPECT_GE(simulation.lowest() * 4, settled * 3) << noise;
    EXPECT_LE(simulation.highest() * 2, settled * 3) << noise;
  }
}

TEST(Concurrency, FollowsALinkThatGetsFaster) {
  Simulation simulation({.bytes_per_second = 50e6, .per_connection = 12.5e6});
  simulation.run(seconds(120), 50e6);
  simulation.link().bytes_per_second = 400e6;
  simulation.run(seconds(120), 400e6);
  EXPECT_GE(simulation.run(seconds(60), 400e6), 0.9);
}

TEST(Concurrency, StaysBelowWhatTheServerThrottles) {
  Simulation simulation({.bytes_per_second = 1e9, .per_connection = 10e6, .throttles_above = 12});
  simulation.run(seconds(30), 120e6);
  const size_t before = simulation.throttled();
  EXPECT_GE(simulation.run(seconds(300), 120e6), 0.8);
  EXPECT_LE(simulation.throttled() - before, 60) << "asks for more now and then only";
}

TEST(Concurrency, RecoversWithinThirtySecondsAfterAStorm) {
  for (const int storm_s : {3, 20, 120}) {
    Simulation simulation({.bytes_per_second = 300e6, .per_connection = 12.5e6});
    simulation.run(seconds(60), 300e6);
    const size_t before = simulation.limit();
    simulation.link().throttles_above = 0;
    simulation.run(seconds(storm_s), 300e6);
    EXPECT_LE(simulation.limit(), std::max<size_t>(before / 2, 1));
    simulation.link().throttles_above = SIZE_MAX;
    simulation.run(seconds(30), 300e6);
    EXPECT_GE(simulation.run(seconds(10), 300e6), 0.8) << storm_s;
  }
}

TEST(Concurrency, CutsOncePerWindowAndNotForNewsOfThePast) {
  const Time start{hours(1)};
  ConcurrencyController controller({.initial = 32}, start);
  controller.set_in_use(32, start);
  const auto at = [&](int ms) { return start + milliseconds(ms); };
  for (int i = 0; i < 32; ++i) controller.ended(TransferEnd::kThrottled, at(0), at(1000 + i));
  EXPECT_EQ(controller.limit(), 16);
  controller.ended(TransferEnd::kThrottled, at(1100), at(1200));
  EXPECT_EQ(controller.limit(), 16) << "within the window";
  controller.ended(TransferEnd::kStalled, at(1100), at(3000));
  EXPECT_EQ(controller.limit(), 16) << "more transfers run than the limit allows";
  controller.set_in_use(16, at(3000));
  controller.ended(TransferEnd::kStalled, at(900), at(4000));
  EXPECT_EQ(controller.limit(), 16) << "began before the cut";
  controller.ended(TransferEnd::kStalled, at(1100), at(4000));
  EXPECT_EQ(controller.limit(), 8);
  controller.ended(TransferEnd::kFailed, at(5000), at(6000));
  controller.ended(TransferEnd::kOk, at(5000), at(6000));
  EXPECT_EQ(controller.limit(), 8);
}

TEST(Concurrency, EqualBoundsFixIt) {
  Simulation simulation({.per_connection = 1e6}, {.initial = 8, .min = 8, .max = 8});
  simulation.run(seconds(60), 1);
  simulation.link().throttles_above = 0;
  simulation.run(seconds(60), 1);
  EXPECT_EQ(simulation.lowest(), 8);
  EXPECT_EQ(simulation.highest(), 8);
}

TEST(Concurrency, DoesNotGrowForACallerWithoutMoreToDo) {
  Simulation simulation({.per_connection = 1e6, .demand = 2});
  simulation.run(seconds(120), 1);
  EXPECT_EQ(simulation.highest(), 4);
}

}  // namespace
}  // namespace xet::net
