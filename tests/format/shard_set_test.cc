#include "format/shard_set.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "format/samples.h"
#include "hash/blake3.h"
#include "support/generators.h"
#include "support/matchers.h"

namespace xet::format {
namespace {

using testing::FailsWith;
using testing::IsOk;
using testing::sample_shard;

FileRecord file_with(bool verification, bool digest) {
  FileRecord file;
  file.hash = FileHash(testing::random_hash(1));
  file.terms = {{XorbHash(testing::random_hash(2)), 100, 0, 1}};
  file.has_verification = verification;
  if (verification) file.verification = {RangeHash(testing::random_hash(3))};
  if (digest) file.sha256 = Sha256Digest(testing::random_hash(4));
  return file;
}

Shard shard_of(FileRecord file) {
  Shard shard;
  shard.files.push_back(std::move(file));
  return shard;
}

TEST(ShardBuilder, SortsAndMeasures) {
  const Shard sorted = sample_shard(20, 10, 1);
  Shard shuffled = sorted;
  std::ranges::reverse(shuffled.files);
  std::ranges::reverse(shuffled.xorbs);
  EXPECT_FALSE(shuffled.is_sorted());
  ShardBuilder builder;
  EXPECT_TRUE(builder.empty());
  EXPECT_EQ(builder.size_bytes(), 344U);
  for (const auto& file : shuffled.files) builder.add(file);
  for (const auto& xorb : shuffled.xorbs) builder.add(xorb);
  EXPECT_EQ(builder.size_bytes(), sorted.to_stored_form({.has_tables = true}).size());
  EXPECT_EQ(builder.finish(), sorted);
  EXPECT_TRUE(builder.empty());
  EXPECT_EQ(builder.size_bytes(), 344U);
}

TEST(ShardBuilder, MergesAFileAndReplacesAXorbThatIsAddedAgain) {
  ShardBuilder builder;
  builder.add(file_with(true, false));
  builder.add(file_with(false, true));
  XorbRecord xorb{.hash = XorbHash(testing::random_hash(5))};
  builder.add(xorb);
  xorb.packed_bytes = 7;
  builder.add(xorb);
  EXPECT_EQ(builder.size_bytes(), 344U + 2 * (3 * 48 + 12) + 2 * (48 + 12));
  const Shard shard = builder.finish();
  EXPECT_EQ(shard.files, (std::vector{file_with(true, true)}));
  EXPECT_EQ(shard.xorbs, (std::vector{xorb}));
}

TEST(ShardUnion, TheRecordWithMorePartsStays) {
  const auto joined = [](FileRecord a, FileRecord b) {
    auto result = shard_union(shard_of(std::move(a)), shard_of(std::move(b)));
    EXPECT_THAT(result, IsOk());
    return result->files.at(0);
  };
  for (const bool v1 : {false, true}) {
    for (const bool d1 : {false, true}) {
      for (const bool v2 : {false, true}) {
        for (const bool d2 : {false, true}) {
          EXPECT_EQ(joined(file_with(v1, d1), file_with(v2, d2)), file_with(v1 || v2, d1 || d2));
        }
      }
    }
  }
  FileRecord other = file_with(true, true);
  other.terms[0].chunk_begin = 5;
  other.terms[0].chunk_end = 6;
  EXPECT_EQ(joined(file_with(true, true), other), file_with(true, true));  // equal parts: the first
  EXPECT_EQ(joined(file_with(true, false), other), other);                 // the second has more
}

TEST(ShardUnion, HoldsTheRecordsOfBothSorted) {
  const Shard a = sample_shard(8, 6, 1), b = sample_shard(7, 5, 2);
  const auto both = shard_union(a, b);
  ASSERT_THAT(both, IsOk());
  EXPECT_TRUE(both->is_sorted());
  EXPECT_EQ(both->files.size(), 15U);
  EXPECT_EQ(both->xorbs.size(), 11U);
  EXPECT_EQ(*shard_union(a, a), a);
  EXPECT_EQ(*shard_union(*both, b), *both);
  EXPECT_EQ(*shard_union(b, a), *both);
}

TEST(ShardUnion, OfEqualXorbsTheFirstStays) {
  Shard a = sample_shard(0, 1, 1), b = a;
  b.xorbs[0].packed_bytes = 99;
  EXPECT_EQ(*shard_union(a, b), a);
  EXPECT_EQ(*shard_union(b, a), b);
}

TEST(ShardDifference, HoldsWhatTheFirstDoesNotHave) {
  const Shard a = sample_shard(8, 6, 1), b = sample_shard(7, 5, 2);
  const auto both = shard_union(a, b);
  ASSERT_THAT(both, IsOk());
  EXPECT_EQ(*shard_difference(a, *both), b);
  EXPECT_EQ(*shard_difference(*both, a), Shard());
  EXPECT_EQ(*shard_difference(Shard(), b), b);
}

TEST(ShardSets, KeyedShardsAreRefused) {
  Shard keyed = sample_shard(1, 1, 1);
  keyed.footer = ShardFooter{.key = HmacKey(testing::random_hash(1))};
  EXPECT_THAT(shard_union(keyed, Shard()), FailsWith(ErrorCode::kInvalidArgument));
  EXPECT_THAT(shard_union(Shard(), keyed), FailsWith(ErrorCode::kInvalidArgument));
  EXPECT_THAT(shard_difference(Shard(), keyed), FailsWith(ErrorCode::kInvalidArgument));
  EXPECT_THAT(keyed_export(keyed, {}), FailsWith(ErrorCode::kInvalidArgument));
}

TEST(DedupKeys, FirstChunksFlaggedChunksAndOneIn1024) {
  Shard shard;
  XorbRecord xorb{.hash = XorbHash(testing::random_hash(1))};
  for (uint32_t i = 0; i < 6; ++i) {
    const uint64_t last_word = i == 4 ? 5 * 1024 : 5 * 1024 + 1;
    xorb.chunks.push_back(
        {ChunkHash::from_words(i, 0, 0, last_word), 10 * i, 10, i == 2 ? kChunkIsDedupKey : 0});
  }
  xorb.unpacked_bytes = 60;
  shard.xorbs.push_back(xorb);
  FileRecord file = file_with(true, false);
  file.terms = {{xorb.hash, 10, 1, 2}, {xorb.hash, 10, 5, 6}};
  file.verification.resize(2);
  shard.files.push_back(file);
  FileRecord elsewhere = file_with(true, false);
  elsewhere.hash = FileHash(testing::random_hash(9));
  shard.files.push_back(elsewhere);

  const auto keys = dedup_keys(shard);
  std::vector<uint32_t> indices;
  for (const auto& key : keys) {
    EXPECT_EQ(key.chunk, xorb.chunks[key.chunk_index].hash);
    indices.push_back(key.chunk_index);
  }
  EXPECT_EQ(indices, (std::vector<uint32_t>{1, 2, 4}));
  flag_first_chunks(shard);
  EXPECT_EQ(shard.xorbs[0].chunks[1].flags, kChunkIsDedupKey);
  EXPECT_EQ(shard.xorbs[0].chunks[5].flags, 0U);
}

TEST(KeyedExport, KeysChunkHashesAndDropsFiles) {
  const Shard shard = sample_shard(3, 2, 1);
  const HmacKey key(testing::random_hash(7));
  const auto bytes = keyed_export(shard, {.key = key, .creation_s = 5, .expiry_s = 6, .has_tables = true});
  ASSERT_THAT(bytes, IsOk());
  const auto keyed = Shard::parse(*bytes);
  ASSERT_THAT(keyed, IsOk());
  EXPECT_TRUE(keyed->files.empty());
  ASSERT_EQ(keyed->xorbs.size(), shard.xorbs.size());
  for (size_t x = 0; x < shard.xorbs.size(); ++x) {
    EXPECT_EQ(keyed->xorbs[x].hash, shard.xorbs[x].hash);
    for (size_t i = 0; i < shard.xorbs[x].chunks.size(); ++i) {
      EXPECT_EQ(keyed->xorbs[x].chunks[i].hash, hash::keyed_chunk_hash(key, shard.xorbs[x].chunks[i].hash));
    }
  }
  EXPECT_EQ(*keyed_export(shard, {}), (Shard{{}, shard.xorbs, {}}.to_stored_form({})));
}

}  // namespace
}  // namespace xet::format
