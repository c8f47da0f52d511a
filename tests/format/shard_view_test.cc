#include "format/shard_view.h"

#include <gtest/gtest.h>

#include "format/samples.h"
#include "format/shard_set.h"
#include "support/generators.h"
#include "support/matchers.h"

namespace xet::format {
namespace {

using testing::FailsWith;
using testing::IsOk;
using testing::sample_shard;

/// Every form of one shard that lookups must work on.
std::vector<ByteVector> forms(const Shard& shard) {
  std::vector<ByteVector> out = {shard.to_upload_form(), shard.to_stored_form({}),
                                 shard.to_stored_form({.has_tables = true})};
  return out;
}

TEST(ShardView, FindsAllThatIsThereAndNothingElse) {
  const Shard shard = sample_shard(20, 10, 1);
  for (const auto& bytes : forms(shard)) {
    const auto view = ShardView::open(bytes);
    ASSERT_THAT(view, IsOk());
    for (const auto& file : shard.files) EXPECT_EQ(*view->find_file(file.hash), file);
    for (const auto& xorb : shard.xorbs) EXPECT_EQ(*view->find_xorb(xorb.hash), xorb);
    uint32_t record = 0;
    for (const auto& xorb : shard.xorbs) {
      for (uint32_t i = 0; i < xorb.chunks.size(); ++i) {
        EXPECT_EQ(*view->find_chunk(xorb.chunks[i].hash), (std::vector<ShardView::ChunkPlace>{{record, i}}));
      }
      record += static_cast<uint32_t>(1 + xorb.chunks.size());
    }
    for (uint64_t seed = 0; seed < 50; ++seed) {
      const NodeHash other = testing::random_hash(1'000'000 + seed);
      EXPECT_EQ(*view->find_file(FileHash(other)), std::nullopt);
      EXPECT_EQ(*view->find_xorb(XorbHash(other)), std::nullopt);
      EXPECT_TRUE(view->find_chunk(ChunkHash(other))->empty());
    }
  }
}

/// Hashes that differ in the last word only, so that only the full comparison tells them apart.
TEST(ShardView, EqualTruncatedHashesAreToldApart) {
  Shard shard;
  for (uint64_t i = 0; i < 20; ++i) {
    FileRecord file;
    file.hash = FileHash::from_words(7, 0, 0, i);
    shard.files.push_back(file);
    XorbRecord xorb{.hash = XorbHash::from_words(8, 0, 0, i), .unpacked_bytes = 10};
    xorb.chunks = {{ChunkHash::from_words(9, 0, 0, i), 0, 10, 0}};
    shard.xorbs.push_back(xorb);
  }
  for (const auto& bytes : forms(shard)) {
    const auto view = ShardView::open(bytes);
    ASSERT_THAT(view, IsOk());
    for (uint32_t i = 0; i < 20; ++i) {
      EXPECT_EQ(*view->find_file(shard.files[i].hash), shard.files[i]);
      EXPECT_EQ(*view->find_xorb(shard.xorbs[i].hash), shard.xorbs[i]);
      EXPECT_EQ(*view->find_chunk(shard.xorbs[i].chunks[0].hash),
                (std::vector<ShardView::ChunkPlace>{{2 * i, 0}}));
    }
  }
}

TEST(ShardView, GivesTheFirstPlacesOfAFrequentChunk) {
  Shard shard;
  XorbRecord xorb{.hash = XorbHash(testing::random_hash(1)), .unpacked_bytes = 200};
  for (uint32_t i = 0; i < 20; ++i)
    xorb.chunks.push_back({ChunkHash(testing::random_hash(2)), 10 * i, 10, 0});
  shard.xorbs.push_back(xorb);
  for (const auto& bytes : forms(shard)) {
    const auto view = ShardView::open(bytes);
    ASSERT_THAT(view, IsOk());
    const auto places = view->find_chunk(xorb.chunks[0].hash);
    ASSERT_THAT(places, IsOk());
    ASSERT_EQ(places->size(), ShardView::kMaxPlaces);
    for (uint32_t i = 0; i < ShardView::kMaxPlaces; ++i) EXPECT_EQ((*places)[i].chunk_index, i);
  }
}

TEST(ShardView, MatchesRunsInsideOneXorb) {
  const Shard shard = sample_shard(0, 5, 2);
  const HmacKey key(testing::random_hash(3));
  auto all_forms = forms(shard);
  all_forms.push_back(*keyed_export(shard, {.key = key, .has_tables = true}));
  all_forms.push_back(*keyed_export(shard, {.key = key}));
  const auto& xorb = shard.xorbs[2];
  std::vector<ChunkHash> wanted;
  for (const auto& chunk : xorb.chunks) wanted.push_back(chunk.hash);
  wanted.push_back(shard.xorbs[3].chunks[0].hash);  // the next record in the file, but another xorb
  for (const auto& bytes : all_forms) {
    const auto view = ShardView::open(bytes);
    ASSERT_THAT(view, IsOk());
    const auto places = view->find_chunk(wanted[0]);
    ASSERT_THAT(places, IsOk());
    ASSERT_EQ(places->size(), 1U);
    const auto run = view->match_run(places->front(), wanted);
    ASSERT_THAT(run, IsOk());
    EXPECT_EQ(run->xorb, xorb.hash);
    EXPECT_EQ(run->chunk_begin, 0U);
    EXPECT_EQ(run->n_chunks, xorb.chunks.size());
    EXPECT_EQ(run->unpacked_len, xorb.unpacked_bytes);
    const ChunkHash other(testing::random_hash(4));
    EXPECT_EQ(view->match_run(places->front(), {&other, 1})->n_chunks, 0U);
  }
}

TEST(ShardView, VisitsEverything) {
  const Shard shard = sample_shard(9, 4, 3);
  for (const auto& bytes : forms(shard)) {
    const auto view = ShardView::open(bytes);
    ASSERT_THAT(view, IsOk());
    Shard seen;
    ASSERT_THAT(view->for_each_file([&](const FileRecord& file) { seen.files.push_back(file); }), IsOk());
    ASSERT_THAT(view->for_each_xorb([&](const XorbRecord& xorb) { seen.xorbs.push_back(xorb); }), IsOk());
    EXPECT_EQ(seen, shard);
    size_t n_chunks = 0;
    ASSERT_THAT(view->for_each_chunk([&](const ShardView::ChunkPlace& place, const ChunkHash& stored) {
      EXPECT_EQ(view->match_run(place, {&stored, 1})->n_chunks, 1U);
      ++n_chunks;
    }),
                IsOk());
    size_t expected = 0;
    for (const auto& xorb : shard.xorbs) expected += xorb.chunks.size();
    EXPECT_EQ(n_chunks, expected);
  }
}

TEST(ShardView, ChangedBytesNeverCrash) {
  const Shard shard = sample_shard(4, 3, 4);
  testing::SplitMix64 random(5);
  for (const auto& bytes : forms(shard)) {
    for (int round = 0; round < 2000; ++round) {
      ByteVector changed = bytes;
      for (uint64_t i = 0; i <= random.below(3); ++i) {
        changed[random.below(changed.size())] = static_cast<std::byte>(random.next());
      }
      const auto view = ShardView::open(changed);
      if (!view) {
        EXPECT_THAT(view, FailsWith(ErrorCode::kCorruption));
        continue;
      }
      for (const auto& file : shard.files) (void)view->find_file(file.hash);
      for (const auto& xorb : shard.xorbs) {
        (void)view->find_xorb(xorb.hash);
        for (const auto& chunk : xorb.chunks) {
          const auto places = view->find_chunk(chunk.hash);
          if (!places) continue;
          for (const auto& place : *places) (void)view->match_run(place, {&chunk.hash, 1});
        }
      }
      (void)view->match_run({static_cast<uint32_t>(random.next()), static_cast<uint32_t>(random.next())},
                            {&shard.xorbs[0].chunks[0].hash, 1});
    }
  }
}

TEST(ShardView, EveryTruncationOfAStoredFormIsRefused) {
  const ByteVector bytes = sample_shard(3, 2, 6).to_stored_form({.has_tables = true});
  for (size_t n = 0; n < bytes.size(); ++n) {
    EXPECT_THAT(ShardView::open(ByteSpan(bytes).first(n)), FailsWith(ErrorCode::kCorruption)) << n;
  }
}

}  // namespace
}  // namespace xet::format
