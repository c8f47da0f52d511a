#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "server/sample_store.h"
#include "server/store/object_key.h"
#include "support/generators.h"
#include "support/matchers.h"
#include "support/temp_dir.h"

namespace xet::testing {
namespace {

ByteVector slice(const ByteVector& bytes, uint64_t begin, uint64_t end) {
  end = std::min<uint64_t>(end, bytes.size());
  begin = std::min(begin, end);
  return {bytes.begin() + static_cast<ptrdiff_t>(begin), bytes.begin() + static_cast<ptrdiff_t>(end)};
}

class ReadBack : public ::testing::Test {
 protected:
  format::FileRecord put(const std::vector<ChunkRun>& runs) {
    for (const auto& run : runs) {
      EXPECT_TRUE(!stored_.insert(run.xorb).second || store_.put_xorb(*run.xorb));
    }
    auto file = make_file(runs);
    EXPECT_THAT(store_.put_shard(make_shard({file}, {})), IsOk());
    return file;
  }

  const TempDir dir_;
  const std::unique_ptr<cas::Cas> cas_ = open_store(dir_.path());
  Store store_{*cas_};
  std::set<const SampleXorb*> stored_;
};

TEST_F(ReadBack, GivesEveryRangeAroundEveryBorder) {
  const auto a = make_xorb(6, 1, 20, 60);
  const auto b = make_xorb(6, 2, 20, 60);
  const std::vector<ChunkRun> runs = {{&a, 1, 4}, {&b, 0, 2}, {&a, 3, 6}, {&b, 5, 6}, {&b, 1, 3}};
  const auto file = put(runs);
  const auto content = content_of(runs);
  std::set<uint64_t> borders = {0, content.size()};
  uint64_t at = 0;
  for (const auto& run : runs) {
    for (uint32_t i = run.begin; i < run.end; ++i) borders.insert(at += run.xorb->chunks[i].size());
  }
  std::set<uint64_t> points;
  for (const auto border : borders) {
    for (const uint64_t point : {border - 1, border, border + 1}) {
      if (point <= content.size() + 1) points.insert(point);
    }
  }
  for (const auto begin : points) {
    for (const auto end : points) {
      if (end < begin) continue;
      const auto part = store_.read(file.hash, cas::ByteRange{begin, end});
      ASSERT_THAT(part, IsOk()) << begin << ' ' << end;
      ASSERT_EQ(*part, slice(content, begin, end)) << begin << ' ' << end;
    }
  }
}

TEST_F(ReadBack, TrimsTheOuterTermsToTheChunksAskedFor) {
  const auto a = make_xorb(10, 1, 50, 50);
  const auto file = put({{&a, 0, 10}});
  const auto plan = store_.reconstruct(file.hash, cas::ByteRange{120, 260});
  ASSERT_THAT(plan, IsOk());
  ASSERT_EQ(plan->terms.size(), 1U);
  EXPECT_EQ(plan->terms[0].chunks, (cas::ChunkRange{2, 6}));
  EXPECT_EQ(plan->terms[0].unpacked_len, 200U);
  EXPECT_EQ(plan->offset_into_first_term, 20U);
  ASSERT_EQ(plan->fetches.at(a.hash).size(), 1U);
  EXPECT_EQ(plan->fetches.at(a.hash)[0].chunks, (cas::ChunkRange{2, 6}));
  EXPECT_EQ(plan->fetches.at(a.hash)[0].chunk_hashes,
            (std::vector<ChunkHash>{a.chunk_hashes.begin() + 2, a.chunk_hashes.begin() + 6}));
}

TEST_F(ReadBack, GivesNoTermsPastTheEndOrForNothing) {
  const auto a = make_xorb(3, 1);
  const auto file = put({{&a, 0, 3}});
  const uint64_t size = *store_.file_size(file.hash);
  for (const cas::ByteRange range :
       {cas::ByteRange{size, size + 5}, cas::ByteRange{UINT64_MAX - 1, UINT64_MAX}, cas::ByteRange{3, 3},
        cas::ByteRange{5, 2}}) {
    const auto plan = store_.reconstruct(file.hash, range);
    ASSERT_THAT(plan, IsOk());
    EXPECT_TRUE(plan->terms.empty());
    EXPECT_TRUE(plan->fetches.empty());
    EXPECT_EQ(plan->offset_into_first_term, 0U);
  }
  EXPECT_EQ(store_.read(file.hash, cas::ByteRange{size - 1, UINT64_MAX})->size(), 1U);
}

TEST_F(ReadBack, MergesRangesThatTouchOrOverlap) {
  const auto a = make_xorb(20, 1);
  const auto file =
      put({{&a, 10, 12}, {&a, 0, 3}, {&a, 2, 5}, {&a, 5, 6}, {&a, 14, 20}, {&a, 15, 16}, {&a, 0, 3}});
  const auto plan = store_.reconstruct(file.hash);
  ASSERT_THAT(plan, IsOk());
  EXPECT_EQ(plan->terms.size(), 7U);
  std::vector<cas::ChunkRange> ranges;
  for (const auto& range : plan->fetches.at(a.hash)) ranges.push_back(range.chunks);
  EXPECT_EQ(ranges, (std::vector<cas::ChunkRange>{{0, 6}, {10, 12}, {14, 20}}));
  EXPECT_EQ(plan->fetches.at(a.hash).front().bytes.begin, 0U);
  EXPECT_EQ(plan->fetches.at(a.hash).back().bytes.end, a.body.size());
}

TEST_F(ReadBack, KeepsManifestsBeyond64KiBAsObjects) {
  const auto a = make_xorb(40, 1, 20, 60);
  const auto b = make_xorb(40, 2, 20, 60);
  SplitMix64 random(4);
  std::vector<ChunkRun> runs;
  for (int i = 0; i < 5000; ++i) {  // 28 bytes per term, several pages
    const auto begin = static_cast<uint32_t>(random.below(39));
    runs.push_back(
        {random.below(2) == 0 ? &a : &b, begin, begin + 1 + static_cast<uint32_t>(random.below(2))});
  }
  const auto file = put(runs);
  const auto content = content_of(runs);
  EXPECT_TRUE(std::filesystem::exists(dir_ / store::manifest_key(file.hash, 0).path));
  EXPECT_EQ(*store_.read(file.hash), content);
  for (int i = 0; i < 200; ++i) {
    const uint64_t begin = random.below(content.size());
    const uint64_t end = begin + 1 + random.below(3000);
    const auto part = store_.read(file.hash, cas::ByteRange{begin, end});
    ASSERT_THAT(part, IsOk());
    ASSERT_EQ(*part, slice(content, begin, end));
  }
  // Registered again, by another shard: nothing new is kept.
  const auto other = make_file({{&a, 0, 1}});
  ASSERT_THAT(store_.put_shard(make_shard({file, other}, {})), IsOk());
  EXPECT_FALSE(std::filesystem::exists(dir_ / store::manifest_key(file.hash, 1).path));
  EXPECT_EQ(*store_.read(file.hash), content);
}

TEST_F(ReadBack, StepsOverAnUnfinishedManifest) {
  const auto a = make_xorb(40, 1, 20, 60);
  std::vector<ChunkRun> runs;
  for (uint32_t i = 0; i < 3000; ++i) runs.push_back({&a, i % 40, i % 40 + 1});
  const auto hash = make_file(runs).hash;
  const auto path = dir_ / store::manifest_key(hash, 0).path;
  std::filesystem::create_directories(path.parent_path());
  write_bytes(path, random_bytes(100, 1));
  put(runs);
  EXPECT_EQ(*store_.read(hash), content_of(runs));
}

TEST_F(ReadBack, SaysThatAManifestIsDamaged) {
  const auto a = make_xorb(40, 1, 20, 60);
  std::vector<ChunkRun> runs;
  for (uint32_t i = 0; i < 3000; ++i) runs.push_back({&a, i % 40, i % 40 + 1});
  const auto file = put(runs);
  const auto path = dir_ / store::manifest_key(file.hash, 0).path;
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
  EXPECT_THAT(store_.reconstruct(file.hash), FailsWith(ErrorCode::kCorruption, file.hash.hex()));
  std::filesystem::remove(path);
  EXPECT_THAT(store_.reconstruct(file.hash), FailsWith(ErrorCode::kCorruption, file.hash.hex()));
}

TEST_F(ReadBack, ReadsAFileThatIsInManyXorbs) {
  std::vector<SampleXorb> xorbs;
  for (uint64_t i = 0; i < 40; ++i) xorbs.push_back(make_xorb(3, 50 + i, 20, 60));
  std::vector<ChunkRun> runs;
  for (const auto& xorb : xorbs) runs.push_back({&xorb, 0, 3});
  const auto file = put(runs);
  EXPECT_EQ(*store_.read(file.hash), content_of(runs));
  EXPECT_EQ(store_.reconstruct(file.hash)->fetches.size(), 40U);
}

}  // namespace
}  // namespace xet::testing
