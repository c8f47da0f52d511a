#include "base/unique_function.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

namespace xet {
namespace {

TEST(UniqueFunction, HoldsCallablesThatCannotBeCopied) {
  auto box = std::make_unique<int>(7);
  UniqueFunction<int(int)> add = [box = std::move(box)](int n) { return n + *box; };
  EXPECT_EQ(add(3), 10);
}

TEST(UniqueFunction, MovesAndLeavesTheSourceEmpty) {
  UniqueFunction<int()> one = [] { return 1; };
  EXPECT_TRUE(one);
  UniqueFunction<int()> other = std::move(one);
  EXPECT_FALSE(one);
  EXPECT_EQ(other(), 1);
  one = [] { return 2; };
  EXPECT_EQ(one(), 2);
  other = UniqueFunction<int()>();
  EXPECT_FALSE(other);
}

TEST(UniqueFunction, KeepsTheStateOfItsCallable) {
  UniqueFunction<int()> count = [n = 0]() mutable { return ++n; };
  EXPECT_EQ(count(), 1);
  EXPECT_EQ(count(), 2);
  auto moved = std::move(count);
  EXPECT_EQ(moved(), 3);
}

TEST(UniqueFunction, DestroysItsCallableOnce) {
  auto alive = std::make_shared<int>(0);
  {
    UniqueFunction<void()> a = [alive] {};
    UniqueFunction<void()> b = std::move(a);
    EXPECT_EQ(alive.use_count(), 2);
    b = [] {};
    EXPECT_EQ(alive.use_count(), 1);
  }
  EXPECT_EQ(alive.use_count(), 1);
}

TEST(UniqueFunction, PassesArgumentsThroughAsTheyAre) {
  UniqueFunction<std::unique_ptr<int>(std::unique_ptr<int>, int&)> f = [](std::unique_ptr<int> box,
                                                                          int& seen) {
    seen = *box;
    return box;
  };
  int seen = 0;
  const auto box = f(std::make_unique<int>(9), seen);
  EXPECT_EQ(*box, 9);
  EXPECT_EQ(seen, 9);
}

}  // namespace
}  // namespace xet
