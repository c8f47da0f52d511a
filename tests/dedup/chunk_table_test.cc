#include "dedup/chunk_table.h"

#include <gtest/gtest.h>

#include <map>

#include "support/generators.h"

namespace xet::dedup {
namespace {

TEST(ChunkTable, FindsWhatWasPutAndNothingElse) {
  ChunkTable table(100'000);
  EXPECT_EQ(table.find(1), std::nullopt);
  testing::SplitMix64 random(1);
  std::map<uint64_t, ChunkPlace> model;
  for (uint32_t i = 0; i < 40'000; ++i) {
    // a few keys that collide wherever they land
    const uint64_t key = i % 10 == 0 ? (random.next() << 20) : random.next();
    table.put(key, {i / 100, i % 100});
    model[key] = {i / 100, i % 100};
  }
  EXPECT_EQ(table.size(), model.size());
  for (const auto& [key, place] : model) ASSERT_EQ(table.find(key), place);
  for (int i = 0; i < 10'000; ++i) {
    const uint64_t key = random.next();
    if (!model.contains(key)) {
      ASSERT_EQ(table.find(key), std::nullopt);
    }
  }
}

TEST(ChunkTable, TheLastEntryCounts) {
  ChunkTable table(100);
  table.put(0, {1, 2});
  table.put(0, {3, 4});
  EXPECT_EQ(table.find(0), (ChunkPlace{3, 4}));
  EXPECT_EQ(table.size(), 1U);
}

TEST(ChunkTable, ForgetsTheOldestAndStaysWithinItsBound) {
  ChunkTable table(1000);
  for (uint32_t i = 0; i < 10'000; ++i) {
    table.put(i, {i, 0});
    ASSERT_LE(table.size(), 1000U);
  }
  for (uint32_t i = 9'500; i < 10'000; ++i) EXPECT_TRUE(table.find(i)) << i;
  EXPECT_FALSE(table.find(0));
}

TEST(ChunkTable, WhatIsPutAgainIsNotForgotten) {
  ChunkTable table(1000);
  for (uint32_t i = 0; i < 10'000; ++i) {
    table.put(1'000'000, {7, 7});
    table.put(i, {i, 0});
    ASSERT_EQ(table.find(1'000'000), (ChunkPlace{7, 7}));
  }
}

TEST(ChunkTable, WorksWithTheSmallestBound) {
  ChunkTable table(0);
  table.put(1, {1, 1});
  table.put(2, {2, 2});
  EXPECT_EQ(table.find(2), (ChunkPlace{2, 2}));
}

}  // namespace
}  // namespace xet::dedup
