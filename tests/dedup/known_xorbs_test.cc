#include "dedup/known_xorbs.h"

#include <gtest/gtest.h>

#include "dedup/shard_directory.h"
#include "format/shard_set.h"
#include "hash/blake3.h"
#include "support/generators.h"
#include "support/matchers.h"
#include "support/temp_dir.h"

namespace xet::dedup {
namespace {

using namespace testing;

ChunkHash chunk(uint64_t seed) {
  return ChunkHash(random_hash(seed));
}

/// A shard of one xorb with chunks seed, seed + 1, ….
format::Shard shard_of(uint64_t seed, size_t n_chunks) {
  format::XorbRecord record{XorbHash(random_hash(seed + 1'000'000)), {}, 0, 0};
  for (size_t i = 0; i < n_chunks; ++i) {
    record.chunks.push_back({chunk(seed + i), record.unpacked_bytes, 10'000, 0});
    record.unpacked_bytes += 10'000;
  }
  format::Shard shard;
  shard.xorbs.push_back(std::move(record));
  return shard;
}

ByteVector keyed(const format::Shard& shard, uint64_t key) {
  return format::keyed_export(shard, {.key = HmacKey(random_hash(key)), .has_tables = true}).value();
}

TEST(KnownXorbs, FindsChunksOfItsOwnOpenXorb) {
  KnownXorbs known(1000);
  EXPECT_EQ(known.find(chunk(1)), std::nullopt);
  const auto xorb = known.open_xorb();
  known.append(xorb, chunk(1));
  known.append(xorb, chunk(2));
  EXPECT_EQ(known.find(chunk(2)), (ChunkPlace{xorb, 1}));
  EXPECT_TRUE(known.holds({xorb, 0}, chunk(1)));
  EXPECT_FALSE(known.holds({xorb, 1}, chunk(1)));
  EXPECT_FALSE(known.holds({xorb, 2}, chunk(1)));
  EXPECT_TRUE(known.hash(xorb).is_zero());
  known.close_xorb(xorb, XorbHash(random_hash(9)));
  EXPECT_EQ(known.hash(xorb), XorbHash(random_hash(9)));
  EXPECT_EQ(known.origin(xorb), Origin::kSession);
}

TEST(KnownXorbs, FindsOutsideAXorbInEveryCollection) {
  for (const uint64_t key : {0, 5}) {
    KnownXorbs known(1000);
    const auto mine = known.open_xorb();
    known.append(mine, chunk(1));
    EXPECT_EQ(known.find_outside(mine, chunk(1)), std::nullopt);
    const auto answer =
        key == 0 ? shard_of(1, 3).to_stored_form({.has_tables = true}) : keyed(shard_of(1, 3), key);
    ASSERT_THAT(known.add_shard(answer, Origin::kAnswer), IsOk());
    const auto place = known.find_outside(mine, chunk(1));
    ASSERT_TRUE(place);
    EXPECT_NE(place->xorb, mine);
    EXPECT_EQ(known.origin(place->xorb), Origin::kAnswer);
  }
}

TEST(KnownXorbs, WhatWasDroppedIsNotFound) {
  KnownXorbs known(1000);
  const auto xorb = known.open_xorb();
  known.append(xorb, chunk(1));
  known.drop(xorb);
  EXPECT_EQ(known.find(chunk(1)), std::nullopt);
  EXPECT_FALSE(known.holds({xorb, 0}, chunk(1)));
}

TEST(KnownXorbs, ReadsShardsFromFilesPlainAndKeyed) {
  const TempDir dir;
  KnownXorbs known(1000);
  const auto plain = write_shard(dir.path(), shard_of(10, 5).to_stored_form({.has_tables = true}));
  const auto with_key = write_shard(dir.path(), keyed(shard_of(20, 5), 1));
  const auto other_key = write_shard(dir.path(), keyed(shard_of(30, 5), 2));
  for (const auto& path : {*plain, *with_key, *other_key}) {
    ASSERT_THAT(known.add_shard_file(path, Origin::kCached), IsOk());
  }
  for (const uint64_t seed : {10, 20, 30}) {
    const auto place = known.find(chunk(seed + 3));
    ASSERT_TRUE(place) << seed;
    EXPECT_EQ(place->chunk, 3U);
    EXPECT_EQ(known.hash(place->xorb), XorbHash(random_hash(seed + 1'000'000)));
    EXPECT_TRUE(known.holds({place->xorb, 4}, chunk(seed + 4)));
    EXPECT_FALSE(known.holds({place->xorb, 5}, chunk(seed + 5)));
    EXPECT_FALSE(known.holds({place->xorb, UINT32_MAX}, chunk(seed)));
    EXPECT_EQ(known.origin(place->xorb), Origin::kCached);
  }
  EXPECT_EQ(known.find(chunk(15)), std::nullopt);
}

TEST(KnownXorbs, ChunkHashesMoveToAShardOnDisk) {
  const TempDir dir;
  KnownXorbs known(1000);
  const auto xorb = known.open_xorb();
  const auto shard = shard_of(1, 50);
  for (const auto& entry : shard.xorbs[0].chunks) known.append(xorb, entry.hash);
  known.close_xorb(xorb, shard.xorbs[0].hash);
  const auto path = write_shard(dir.path(), shard.to_stored_form({.has_tables = true}));
  ASSERT_THAT(known.moved_to_shard(xorb, *path), IsOk());
  std::filesystem::remove(*path);  // it stays readable
  for (uint64_t i = 0; i < 50; ++i) {
    EXPECT_EQ(known.find(chunk(1 + i)), (ChunkPlace{xorb, static_cast<uint32_t>(i)}));
  }
  EXPECT_EQ(known.origin(xorb), Origin::kSession);
}

TEST(KnownXorbs, AShardThatDoesNotDescribeTheXorbChangesNothing) {
  const TempDir dir;
  KnownXorbs known(1000);
  const auto xorb = known.open_xorb();
  known.append(xorb, chunk(1));
  const auto path = write_shard(dir.path(), shard_of(100, 5).to_stored_form({.has_tables = true}));
  EXPECT_THAT(known.moved_to_shard(xorb, *path), FailsWith(ErrorCode::kInternal));
  EXPECT_THAT(known.moved_to_shard(xorb, dir / "missing"), FailsWith(ErrorCode::kNotFound));
  EXPECT_EQ(known.find(chunk(1)), (ChunkPlace{xorb, 0}));
}

TEST(KnownXorbs, BrokenShardFilesAreRefusedAndDoNotCount) {
  const TempDir dir;
  const auto good = shard_of(1, 20).to_stored_form({.has_tables = true});
  for (size_t at = 0; at < good.size(); at += 7) {
    auto bad = good;
    bad[at] ^= std::byte{0x40};
    const auto named = dir / (hash::shard_hash(good).hex() + ".mdb");
    write_bytes(named, bad);
    KnownXorbs known(1000);
    EXPECT_THAT(known.add_shard_file(named, Origin::kCached), FailsWith(ErrorCode::kCorruption));
    EXPECT_EQ(known.find(chunk(1)), std::nullopt);
  }
  // An answer carries no name: what is wrong in it must show or do no harm.
  SplitMix64 random(1);
  for (size_t at = 0; at < good.size(); ++at) {
    auto bad = good;
    bad[at] ^= static_cast<std::byte>(1 + random.below(255));
    KnownXorbs known(1000);
    (void)known.add_shard(bad, Origin::kAnswer);
    for (uint64_t i = 0; i < 20; ++i) {
      if (const auto place = known.find(chunk(1 + i))) {
        EXPECT_TRUE(known.holds(*place, chunk(1 + i)));
      }
    }
  }
  for (size_t size = 0; size < good.size(); size += 11) {
    KnownXorbs known(1000);
    EXPECT_FALSE(
        known
            .add_shard(ByteVector(good.begin(), good.begin() + static_cast<ptrdiff_t>(size)), Origin::kAnswer)
            .has_value());
  }
}

TEST(KnownXorbs, ForgetsBeyondItsBound) {
  KnownXorbs known(100);
  const auto xorb = known.open_xorb();
  for (uint64_t i = 0; i < 1000; ++i) known.append(xorb, chunk(i));
  EXPECT_EQ(known.find(chunk(0)), std::nullopt);
  EXPECT_EQ(known.find(chunk(999)), (ChunkPlace{xorb, 999}));
}

}  // namespace
}  // namespace xet::dedup
