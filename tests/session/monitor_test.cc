#include "session/monitor.h"

#include <gtest/gtest.h>

#include <latch>
#include <thread>

#include "session/pipelines.h"
#include "support/matchers.h"

namespace xet::session {
namespace {

using namespace testing;
using std::chrono::milliseconds;

RateMeter::Time at(int ms) {
  return RateMeter::Time(milliseconds(ms));
}

TEST(RateMeter, MeasuresOverTheLastSeconds) {
  RateMeter meter;
  EXPECT_EQ(meter.per_second(), 0);
  meter.sample(at(0), 0);
  EXPECT_EQ(meter.per_second(), 0);
  meter.sample(at(0), 10);
  EXPECT_EQ(meter.per_second(), 0);  // no time has passed
  for (int i = 1; i <= 100; ++i) meter.sample(at(i * 100), static_cast<uint64_t>(i) * 1000);
  EXPECT_DOUBLE_EQ(meter.per_second(), 10'000);
  for (int i = 101; i <= 200; ++i) meter.sample(at(i * 100), 100'000);  // ten seconds of nothing
  EXPECT_DOUBLE_EQ(meter.per_second(), 0);
}

TEST(RateMeter, SamplesThatAreFarApartStillGiveARate) {
  RateMeter meter;
  meter.sample(at(0), 0);
  meter.sample(at(60'000), 6000);
  EXPECT_DOUBLE_EQ(meter.per_second(), 100);
}

TEST(Monitor, TheFirstReasonCounts) {
  Monitor monitor({}, system_clock());
  EXPECT_THAT(monitor.status(), IsOk());
  EXPECT_FALSE(monitor.stopped());
  monitor.fail({ErrorCode::kRefused, "first"});
  monitor.fail({ErrorCode::kIo, "second"});
  monitor.cancel();
  EXPECT_TRUE(monitor.stopped());
  EXPECT_THAT(monitor.status(), FailsWith(ErrorCode::kRefused, "first"));
}

TEST(Monitor, TheCallersTokenStopsIt) {
  const StopSource stop;
  Monitor monitor({.stop = stop.get_token()}, system_clock());
  EXPECT_FALSE(monitor.stopped());
  stop.request_stop();
  EXPECT_TRUE(monitor.stopped());
  EXPECT_THAT(monitor.status(), FailsWith(ErrorCode::kCancelled));
}

TEST(Monitor, ThePassingDeadlineStopsIt) {
  FakeClock clock;
  const Monitor monitor({.deadline = clock.now() + std::chrono::hours(1)}, clock);
  std::latch stopped(1);
  const std::stop_callback on_stop(monitor.stop_token(), [&] { stopped.count_down(); });
  EXPECT_FALSE(monitor.stopped());
  clock.advance(std::chrono::hours(1));
  stopped.wait();
  EXPECT_THAT(monitor.status(), FailsWith(ErrorCode::kDeadline));
}

TEST(Monitor, ReportsInTheBackgroundAndOnceMoreAtTheEnd) {
  std::latch several(3);
  std::atomic<int> running{0};
  std::vector<Progress> seen;
  const SessionOptions options{.progress =
                                   [&](const Progress& progress) {
                                     EXPECT_EQ(++running, 1);
                                     seen.push_back(progress);
                                     if (seen.size() <= 3) several.count_down();
                                     --running;
                                   },
                               .progress_interval = milliseconds(0)};
  Monitor monitor(options, system_clock());
  several.wait();
  monitor.done_bytes = 7;
  monitor.finish();
  const size_t n = seen.size();
  EXPECT_EQ(seen.back().done_bytes, 7U);
  EXPECT_GE(n, 4U);
}

TEST(Monitor, HasNoThreadWhenThereIsNothingToWatch) {
  std::thread([] {}).join();  // a sanitizer's own thread comes with the first
  const size_t before = n_threads();
  const Monitor monitor({}, system_clock());
  EXPECT_LE(n_threads(), before);
}

}  // namespace
}  // namespace xet::session
