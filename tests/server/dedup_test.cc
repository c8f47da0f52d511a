#include <gtest/gtest.h>

#include <chrono>
#include <set>

#include "format/shard_view.h"
#include "server/sample_store.h"
#include "support/generators.h"
#include "support/matchers.h"
#include "support/temp_dir.h"

namespace xet::testing {
namespace {

class QueryDedup : public ::testing::Test {
 protected:
  /// The parsed answer, which must be there.
  format::Shard ask(const ChunkHash& chunk) {
    const auto answer = store_.query_dedup(chunk);
    EXPECT_THAT(answer, IsOk());
    if (!answer || !answer->has_value()) {
      ADD_FAILURE() << "no answer";
      return {};
    }
    auto shard = format::Shard::parse(**answer);
    EXPECT_THAT(shard, IsOk());
    return shard ? *shard : format::Shard{};
  }
  bool knows(const ChunkHash& chunk) { return store_.query_dedup(chunk)->has_value(); }

  const TempDir dir_;
  const std::unique_ptr<cas::Cas> cas_ = open_store(dir_.path());
  Store store_{*cas_};
};

TEST_F(QueryDedup, FindsTheFirstChunkOfAFile) {
  const auto a = make_xorb(10, 1);
  ASSERT_THAT(store_.put_xorb(a), IsOk());
  EXPECT_FALSE(knows(a.chunk_hashes[4]));  // not before a shard names it
  ASSERT_THAT(store_.put_shard(make_shard({make_file({{&a, 4, 8}})}, {&a})), IsOk());
  const auto shard = ask(a.chunk_hashes[4]);
  EXPECT_EQ(shard.xorbs, std::vector{record_of(a)});
  EXPECT_TRUE(shard.files.empty());
  EXPECT_FALSE(knows(a.chunk_hashes[5]));
}

TEST_F(QueryDedup, AnswersInStoredFormForSevenDays) {
  const auto a = make_xorb(3, 1);
  ASSERT_THAT(store_.put_xorb(a), IsOk());
  ASSERT_THAT(store_.put_shard(make_shard({make_file({{&a, 0, 3}})}, {&a})), IsOk());
  const auto shard = ask(a.chunk_hashes[0]);
  ASSERT_TRUE(shard.footer.has_value());
  const auto now = static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
          .count());
  EXPECT_LE(shard.footer->creation_s, now);
  EXPECT_GE(shard.footer->creation_s + 60, now);
  EXPECT_EQ(shard.footer->expiry_s, shard.footer->creation_s + 7 * 24 * 3600);
  EXPECT_TRUE(shard.footer->key.is_zero());
}

TEST_F(QueryDedup, FindsFlaggedChunksAndThoseWhoseHashSaysSo) {
  // The chance of one in 1,024 is helped along: chunks are tried until one is a key by its hash.
  std::vector<ByteVector> chunks;
  size_t key = 0;
  for (uint64_t seed = 0; key == 0; ++seed) {
    const auto chunk = random_bytes(40, seed);
    const auto probe = pack_xorb({chunk});
    if (probe.chunk_hashes[0].word(3) % 1024 == 0 && chunks.size() >= 3) key = chunks.size();
    if (chunks.size() < 3 || key != 0) chunks.push_back(chunk);
  }
  chunks.push_back(random_bytes(40, 1'000'000));
  const auto a = pack_xorb(std::move(chunks));
  ASSERT_THAT(store_.put_xorb(a), IsOk());
  format::Shard shard{.files = {}, .xorbs = {record_of(a)}, .footer = {}};
  shard.xorbs[0].chunks.back().flags = format::kChunkIsDedupKey;
  ASSERT_THAT(store_.put_shard(shard.to_upload_form()), IsOk());
  EXPECT_TRUE(knows(a.chunk_hashes[key]));
  EXPECT_TRUE(knows(a.chunk_hashes.back()));
  EXPECT_FALSE(knows(a.chunk_hashes[1]));
}

TEST_F(QueryDedup, ListsNeighboursOfTheSameShard) {
  std::vector<SampleXorb> xorbs;
  for (uint64_t i = 0; i < 50; ++i) xorbs.push_back(make_xorb(2, 10 + i, 20, 60));
  std::vector<ChunkRun> runs;
  for (const auto& xorb : xorbs) {
    ASSERT_THAT(store_.put_xorb(xorb), IsOk());
    runs.push_back({&xorb, 0, 2});
  }
  const auto late = make_file({{&xorbs[30], 1, 2}});
  ASSERT_THAT(store_.put_shard(make_shard({make_file(runs), late}, {})), IsOk());

  const auto first = ask(xorbs[0].chunk_hashes[0]);
  EXPECT_EQ(first.xorbs.size(), 33U);
  EXPECT_TRUE(first.is_sorted());
  std::set<XorbHash> named;
  for (const auto& xorb : first.xorbs) named.insert(xorb.hash);
  EXPECT_TRUE(named.contains(xorbs[0].hash));

  const auto middle = ask(xorbs[30].chunk_hashes[1]);
  EXPECT_EQ(middle.xorbs.size(), 33U);
}

TEST_F(QueryDedup, LeavesOutADamagedNeighbour) {
  const auto a = make_xorb(3, 1);
  const auto b = make_xorb(3, 2);
  ASSERT_THAT(store_.put_xorb(a), IsOk());
  ASSERT_THAT(store_.put_xorb(b), IsOk());
  ASSERT_THAT(store_.put_shard(make_shard({make_file({{&a, 0, 3}, {&b, 0, 3}})}, {&a, &b})), IsOk());
  for (const auto& object : objects_in(dir_.path())) {
    if (object.find(b.hash.hex()) != std::string::npos) std::filesystem::remove(dir_ / object);
  }
  const auto fresh = open_store(dir_.path());
  const auto answer = Store(*fresh).query_dedup(a.chunk_hashes[0]);
  ASSERT_THAT(answer, IsOk());
  ASSERT_TRUE(answer->has_value());
  EXPECT_EQ(format::Shard::parse(**answer)->xorbs.size(), 1U);
}

TEST_F(QueryDedup, AnswerServesALookup) {
  const auto a = make_xorb(10, 1);
  ASSERT_THAT(store_.put_xorb(a), IsOk());
  ASSERT_THAT(store_.put_shard(make_shard({make_file({{&a, 0, 10}})}, {&a})), IsOk());
  const auto answer = store_.query_dedup(a.chunk_hashes[0]);
  const auto view = format::ShardView::open(**answer);
  ASSERT_THAT(view, IsOk());
  const auto places = view->find_chunk(a.chunk_hashes[3]);
  ASSERT_THAT(places, IsOk());
  ASSERT_EQ(places->size(), 1U);
  const auto run = view->match_run(places->front(), std::span(a.chunk_hashes).subspan(3));
  ASSERT_THAT(run, IsOk());
  EXPECT_EQ(run->n_chunks, 7U);
  EXPECT_EQ(run->xorb, a.hash);
}

}  // namespace
}  // namespace xet::testing
