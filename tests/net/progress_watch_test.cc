#include "net/progress_watch.h"

#include <gtest/gtest.h>

namespace xet::net {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Time = ProgressWatch::Time;

const Time kStart{hours(1)};
constexpr Patience kPatience{.connect = seconds(60), .first_byte = seconds(20), .stall = seconds(30)};

Time at(int s) {
  return kStart + seconds(s);
}

// Content until just before `s`, and then this fault.
void expect_fault(const ProgressWatch& watch, int s, Fault fault) {
  EXPECT_EQ(watch.deadline(), at(s));
  EXPECT_EQ(watch.fault(at(s) - milliseconds(1)), std::nullopt);
  EXPECT_EQ(watch.fault(at(s)), fault);
  EXPECT_EQ(watch.fault(at(s) + hours(1)), fault);
}

void expect_content(const ProgressWatch& watch) {
  EXPECT_EQ(watch.deadline(), Time::max());
  EXPECT_EQ(watch.fault(kStart + hours(1'000'000)), std::nullopt);
}

TEST(ProgressWatch, ConnectingHasALimit) {
  const ProgressWatch watch(kPatience, kStart);
  expect_fault(watch, 60, Fault::kConnect);
  EXPECT_EQ(watch.next_look_at_queue(), Time::max());
}

TEST(ProgressWatch, ARequestWithoutBodyIsCompleteAtOnce) {
  ProgressWatch watch(kPatience, kStart);
  watch.connected(false, at(5));
  expect_fault(watch, 25, Fault::kNoAnswer);
}

TEST(ProgressWatch, TheFirstByteIsDueOnceTheWholeRequestIsSent) {
  ProgressWatch watch(kPatience, kStart);
  watch.connected(true, at(0));
  expect_fault(watch, 30, Fault::kStalled);
  for (int s = 20; s <= 200; s += 20) watch.sent(false, at(s));
  expect_fault(watch, 230, Fault::kStalled);
  watch.sent(true, at(210));
  expect_fault(watch, 240, Fault::kStalled);  // the kernel holds the rest
  watch.queued(5000, at(211));
  expect_fault(watch, 240, Fault::kStalled);
  watch.queued(0, at(215));
  expect_fault(watch, 235, Fault::kNoAnswer);
}

TEST(ProgressWatch, AQueueThatShrinksIsProgressAndOneThatGrowsIsNot) {
  ProgressWatch watch(kPatience, kStart);
  watch.connected(true, at(0));
  watch.sent(false, at(1));
  watch.queued(4000, at(2));
  expect_fault(watch, 31, Fault::kStalled);
  watch.queued(3999, at(25));
  expect_fault(watch, 55, Fault::kStalled);
  watch.queued(3999, at(40));
  expect_fault(watch, 55, Fault::kStalled);
  watch.queued(8000, at(41));
  expect_fault(watch, 55, Fault::kStalled);
  watch.queued(7000, at(50));
  expect_fault(watch, 80, Fault::kStalled);
  watch.queued(0, at(60));  // not all was handed over: more is due
  expect_fault(watch, 90, Fault::kStalled);
}

TEST(ProgressWatch, LooksAtTheQueueOftenAtTheEndOnly) {
  ProgressWatch watch(kPatience, kStart);
  watch.connected(true, at(0));
  EXPECT_EQ(watch.next_look_at_queue(), at(0) + milliseconds(3750));
  watch.sent(true, at(10));
  EXPECT_EQ(watch.next_look_at_queue(), at(10) + milliseconds(20));
  watch.queued(10, at(11));
  EXPECT_EQ(watch.next_look_at_queue(), at(11) + milliseconds(20));
  watch.queued(0, at(12));
  EXPECT_EQ(watch.next_look_at_queue(), Time::max());
}

TEST(ProgressWatch, BytesOfTheAnswerAreDueUntilItIsComplete) {
  ProgressWatch watch(kPatience, kStart);
  watch.connected(false, at(0));
  watch.answered(at(19));
  expect_fault(watch, 49, Fault::kStalled);
  for (int s = 40; s <= 4000; s += 29) watch.received(at(s));
  expect_fault(watch, 3984 + 30 + 0, Fault::kStalled);
}

TEST(ProgressWatch, AnEarlyAnswerEndsTheWaitForTheRequest) {
  ProgressWatch watch(kPatience, kStart);
  watch.connected(true, at(0));
  watch.sent(false, at(1));
  watch.answered(at(2));
  expect_fault(watch, 32, Fault::kStalled);
  EXPECT_EQ(watch.next_look_at_queue(), Time::max());
  watch.sent(true, at(10));  // goes on being sent: progress in either direction counts
  expect_fault(watch, 40, Fault::kStalled);
}

TEST(ProgressWatch, TimeWithoutRoomDoesNotCount) {
  ProgressWatch watch(kPatience, kStart);
  watch.connected(false, at(0));
  watch.received(at(1));
  watch.paused(at(20));
  expect_content(watch);
  watch.resumed(at(10'000));
  expect_fault(watch, 10'030, Fault::kStalled);
  watch.resumed(at(10'010));  // of somebody who was not paused
  expect_fault(watch, 10'030, Fault::kStalled);
}

TEST(ProgressWatch, AnotherHopOrANewConnectionBeginsAnew) {
  ProgressWatch watch(kPatience, kStart);
  watch.connected(true, at(0));
  watch.sent(true, at(1));
  watch.queued(0, at(2));
  watch.answered(at(3));
  watch.next_hop(at(4));
  expect_fault(watch, 64, Fault::kConnect);
  watch.connected(true, at(5));
  watch.queued(0, at(6));  // nothing of this body was handed over yet
  expect_fault(watch, 35, Fault::kStalled);
}

TEST(ProgressWatch, ForEverIsForEver) {
  ProgressWatch watch(
      {.connect = Patience::kForever, .first_byte = Patience::kForever, .stall = Patience::kForever}, kStart);
  expect_content(watch);
  watch.connected(true, at(0));
  expect_content(watch);
  EXPECT_EQ(watch.next_look_at_queue(), Time::max());
  watch.sent(true, at(1));
  EXPECT_EQ(watch.next_look_at_queue(), at(1) + milliseconds(20));
  watch.queued(0, at(2));
  expect_content(watch);
  watch.answered(at(3));
  expect_content(watch);
}

}  // namespace
}  // namespace xet::net
