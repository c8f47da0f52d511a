#include "session/download_gate.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "support/http_script.h"

namespace xet {
namespace {

/// Somebody at the gate, known by the address.
struct Guest {
  int n_told = 0;
  bool enter(DownloadGate& gate) {
    return gate.impl().enter(this, [this] { ++n_told; });
  }
};

TEST(DownloadGate, HandsOutAsManyPlacesAsItHas) {
  DownloadGate gate(2);
  Guest a;
  Guest b;
  EXPECT_TRUE(a.enter(gate));
  EXPECT_TRUE(a.enter(gate)) << "the same may have several";
  EXPECT_FALSE(b.enter(gate));
  gate.impl().leave();
  EXPECT_EQ(b.n_told, 1);
  EXPECT_TRUE(b.enter(gate));
  EXPECT_FALSE(b.enter(gate));
}

TEST(DownloadGate, HasOnePlaceAtLeast) {
  DownloadGate gate(0);
  Guest guest;
  EXPECT_TRUE(guest.enter(gate));
  EXPECT_FALSE(guest.enter(gate));
}

TEST(DownloadGate, TellsOneForEachPlaceInTheOrderOfArrival) {
  DownloadGate gate(1);
  Guest inside;
  Guest first;
  Guest second;
  ASSERT_TRUE(inside.enter(gate));
  EXPECT_FALSE(first.enter(gate));
  EXPECT_FALSE(second.enter(gate));
  gate.impl().leave();
  EXPECT_EQ(first.n_told, 1);
  EXPECT_EQ(second.n_told, 0);
  EXPECT_TRUE(first.enter(gate));
  gate.impl().leave();
  EXPECT_EQ(first.n_told, 1);
  EXPECT_EQ(second.n_told, 1);
}

TEST(DownloadGate, ASecondCallOfTheSameReplacesTheFirst) {
  DownloadGate gate(1);
  Guest inside;
  ASSERT_TRUE(inside.enter(gate));
  std::string told;
  const int who = 0;
  EXPECT_FALSE(gate.impl().enter(&who, [&] { told += "first "; }));
  EXPECT_FALSE(gate.impl().enter(&who, [&] { told += "second "; }));
  gate.impl().leave();
  EXPECT_EQ(told, "second ");
}

TEST(DownloadGate, WhoIsForgottenIsNotTold) {
  DownloadGate gate(1);
  Guest inside;
  Guest gone;
  Guest next;
  ASSERT_TRUE(inside.enter(gate));
  EXPECT_FALSE(gone.enter(gate));
  EXPECT_FALSE(next.enter(gate));
  gate.impl().forget(&gone);
  gate.impl().forget(&gone);
  gate.impl().leave();
  EXPECT_EQ(gone.n_told, 0);
  EXPECT_EQ(next.n_told, 1);
}

TEST(DownloadGate, APlaceThatIsNotTakenIsPassedOn) {
  DownloadGate gate(1);
  Guest inside;
  Guest stopped;
  Guest next;
  ASSERT_TRUE(inside.enter(gate));
  EXPECT_FALSE(stopped.enter(gate));
  EXPECT_FALSE(next.enter(gate));
  gate.impl().leave();
  ASSERT_EQ(stopped.n_told, 1);
  EXPECT_EQ(next.n_told, 0);
  gate.impl().pass_on();
  EXPECT_EQ(next.n_told, 1);
  ASSERT_TRUE(next.enter(gate));
  EXPECT_FALSE(stopped.enter(gate));
  gate.impl().pass_on();  // there is none
  EXPECT_EQ(stopped.n_told, 1);
}

TEST(DownloadGate, CallsWithoutALock) {
  DownloadGate gate(1);
  Guest inside;
  ASSERT_TRUE(inside.enter(gate));
  bool entered = false;
  const int who = 0;
  EXPECT_FALSE(gate.impl().enter(&who, [&] { entered = gate.impl().enter(&who, [] {}); }));
  gate.impl().leave();
  EXPECT_TRUE(entered);
}

TEST(DownloadGate, IsNeverOverfullAndForgetsNobody) {
  constexpr int kPlaces = 2;
  DownloadGate gate(kPlaces);
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        const int who = 0;
        for (int i = 0; i < 200; ++i) {
          for (;;) {
            auto told = std::make_shared<testing::Gate>();
            if (gate.impl().enter(&who, [told] { told->open(); })) break;
            ASSERT_TRUE(told->wait());
          }
          const int now = ++inside;
          for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
          }
          --inside;
          gate.impl().leave();
        }
      });
    }
  }
  EXPECT_LE(most, kPlaces);
}

}  // namespace
}  // namespace xet
