#include "hash/subtree.h"

#include <gtest/gtest.h>

#include "hash/sha256.h"
#include "support/generators.h"
#include "support/matchers.h"

namespace xet::hash {
namespace {

using testing::FailsWith;
using testing::SplitMix64;
using Levels = std::vector<Subtree::Level>;

std::vector<TreeNode> published_nodes() {
  std::vector<TreeNode> out;
  for (uint64_t i = 1; i <= 1000; ++i) out.push_back({testing::random_hash(i), 100 * i});
  return out;
}

std::string digest(const Subtree& tree) {
  std::string lines;
  for (const auto& node : tree.nodes) lines += node.hash.hex() + " " + std::to_string(node.size) + "\n";
  return sha256(as_byte_span(lines)).hex();
}

void expect(const Subtree& tree, size_t n_nodes, const Levels& levels, const std::string& node_digest) {
  EXPECT_EQ(tree.nodes.size(), n_nodes);
  EXPECT_EQ(tree.levels, levels);
  EXPECT_EQ(digest(tree), node_digest);
  EXPECT_THAT(tree.check(), testing::IsOk());
}

TEST(Subtree, BuildsThePublishedRepresentations) {
  const auto nodes = published_nodes();
  expect(Subtree::build(nodes, true, true), 1, {{0, 0}, {0, 0}, {0, 0}, {0, 0}, {0, 0}, {1, 0}},
         "ff8cf5d24d102a3fdfb2ed72869680a0d6594f43c5101912ae59590692690a1b");
  expect(Subtree::build(nodes, false, false), 159, {{30, 35}, {19, 58}, {17, 0}},
         "91beb4bee65d68c849ca57f6581eda8dc7a3de7cec02096f2e850baaefdb145c");
  expect(Subtree::build(nodes, true, false), 116, {{0, 35}, {0, 58}, {23, 0}},
         "0134b69b0a9ac7eae2e2eef17616dfb90d2fd86471eaafda49bd930c0eca93aa");
  expect(Subtree::build(nodes, false, true), 66, {{30, 0}, {19, 0}, {12, 0}, {5, 0}},
         "7be0f743d7d3f0ea200f38e7ccb067b460d1ad1f77d24d56b6234a6a04dc324a");
}

TEST(Subtree, MergesThePublishedRunsInEitherOrder) {
  const auto nodes = published_nodes();
  const auto all = std::span<const TreeNode>(nodes);
  const auto a = Subtree::build(all.first(333), true, false);
  const auto b = Subtree::build(all.subspan(333, 367), false, false);
  const auto c = Subtree::build(all.subspan(700), false, true);
  expect(a, 153, {{0, 135}, {0, 12}, {6, 0}},
         "d43c50b5e21f6c083a1bf8c705f79812edc7998d32571ff09a94da0b7c9448f3");
  expect(b, 113, {{47, 35}, {21, 6}, {4, 0}},
         "8afb65d4b801db472301c3d781ce29c42c1171759f1eca433b2f8dfb13709502");
  expect(c, 64, {{15, 0}, {49, 0}}, "1c1fe61cad130cb4a0fc7d25467e0a4dc072a8b61834856e1e4c4c4e9d2ce3ff");

  const auto ab = Subtree::merge(a, b);
  ASSERT_THAT(ab, testing::IsOk());
  expect(*ab, 64, {{0, 35}, {0, 6}, {23, 0}},
         "03aaf0aa9dc041329c452f1d451f352b28632171eb1ffdc95e0907d49c84b3b2");
  const auto bc = Subtree::merge(b, c);
  ASSERT_THAT(bc, testing::IsOk());
  expect(*bc, 85, {{47, 0}, {21, 0}, {17, 0}},
         "0b6b240c013a866c19a35ee036d9c60aaa4b26e01af714906f41a182c14cf433");

  const auto left_first = Subtree::merge(*ab, c);
  const auto right_first = Subtree::merge(a, *bc);
  ASSERT_THAT(left_first, testing::IsOk());
  ASSERT_THAT(right_first, testing::IsOk());
  expect(*left_first, 1, {{0, 0}, {0, 0}, {0, 0}, {0, 0}, {0, 0}, {1, 0}},
         "ff8cf5d24d102a3fdfb2ed72869680a0d6594f43c5101912ae59590692690a1b");
  for (const auto* whole : {&*left_first, &*right_first}) {
    EXPECT_EQ(whole->aggregate()->hex(), "fef8529a7ae4e7601b379f550b78e192cfe71c6245c504182b695d5b1f71b471");
    EXPECT_EQ(whole->file_hash()->hex(), "55a6a038f4d24368a5327764281fdec545ab78eeaf12bd9da8b1fb4a1431b117");
    EXPECT_EQ(whole->size(), 100U * 1000 * 1001 / 2);
  }
}

TEST(Subtree, OfAFewChunksIsTheTreeOfTheFile) {
  const auto nodes = published_nodes();
  for (size_t n = 0; n <= 60; ++n) {
    const auto some = std::span<const TreeNode>(nodes).first(n);
    EXPECT_EQ(Subtree::build(some, true, true).aggregate().value(), aggregate(some)) << n;
  }
  EXPECT_TRUE(Subtree::build({}, true, true).file_hash().value().is_zero());
}

TEST(Subtree, MergesOfRandomCutsHaveTheHashOfTheWhole) {
  SplitMix64 random(3);
  for (int round = 0; round < 300; ++round) {
    std::vector<TreeNode> nodes(random.below(round % 10 == 0 ? 5000 : 200));
    // Every density of nodes that may end a group, also none and all.
    const uint64_t density = random.below(5);
    for (auto& node : nodes) {
      const uint64_t low = density == 0 ? 1 : random.below(density) == 0 ? 0 : 1;
      node = {NodeHash::from_words(random.next(), random.next(), random.next(), (random.next() << 2) | low),
              1 + random.below(131072)};
    }
    // Cut into up to eight runs, some of them empty, and merge neighbours in random order.
    std::vector<size_t> cuts = {0, nodes.size()};
    for (uint64_t k = random.below(8); k > 0; --k) cuts.push_back(random.below(nodes.size() + 1));
    std::sort(cuts.begin(), cuts.end());
    std::vector<Subtree> runs;
    for (size_t i = 0; i + 1 < cuts.size(); ++i) {
      runs.push_back(Subtree::build(std::span<const TreeNode>(nodes).subspan(cuts[i], cuts[i + 1] - cuts[i]),
                                    i == 0, i + 2 == cuts.size()));
    }
    while (runs.size() > 1) {
      const size_t i = random.below(runs.size() - 1);
      auto merged = Subtree::merge(runs[i], runs[i + 1]);
      ASSERT_THAT(merged, testing::IsOk());
      runs[i] = *std::move(merged);
      runs.erase(runs.begin() + static_cast<ptrdiff_t>(i) + 1);
    }
    ASSERT_EQ(runs[0].aggregate().value(), aggregate(nodes)) << round;
  }
}

TEST(Subtree, KeepsTheOrderWhenRunsOfTheMiddleAreMergedFirst) {
  // X may end a group. The second run has nodes on a higher level already when the first, too short to have
  // any, is put before it; then the end comes, and the start last.
  const std::string_view pattern = "X......X....X...X..X..XX.....X.";
  std::vector<TreeNode> nodes;
  for (size_t i = 0; i < pattern.size(); ++i) {
    nodes.push_back({NodeHash::from_words(i, i, i, pattern[i] == 'X' ? 0 : 1), 1});
  }
  const auto all = std::span<const TreeNode>(nodes);
  const auto before = Subtree::build(all.first(6), false, false);
  const auto middle = Subtree::build(all.subspan(6, 20), false, false);
  const auto after = Subtree::build(all.subspan(26), false, true);
  ASSERT_EQ(middle.levels, (Levels{{7, 6}, {2, 0}}));
  const auto joined = Subtree::merge(before, middle);
  ASSERT_THAT(joined, testing::IsOk());
  const auto tail = Subtree::merge(*joined, after);
  ASSERT_THAT(tail, testing::IsOk());
  const auto whole = Subtree::merge(Subtree::build({}, true, false), *tail);
  ASSERT_THAT(whole, testing::IsOk());
  EXPECT_EQ(whole->aggregate().value(), aggregate(nodes));
}

TEST(Subtree, StaysSmallWhenAManyChunkFileIsMergedInBatches) {
  SplitMix64 random(4);
  Subtree tree = Subtree::build({}, true, false);
  TreeHasher whole;
  for (int batch = 0; batch < 50; ++batch) {
    std::vector<TreeNode> nodes(1000);
    for (auto& node : nodes) {
      node = {NodeHash::from_words(random.next(), random.next(), random.next(), random.next()), 65536};
      whole.add(node);
    }
    tree = Subtree::merge(tree, Subtree::build(nodes, false, batch == 49)).value();
    EXPECT_LT(tree.nodes.size(), 1000U);
  }
  EXPECT_EQ(tree.aggregate().value(), whole.finish());
}

TEST(Subtree, RefusesToMergeAcrossAnEndOfTheFile) {
  const auto nodes = published_nodes();
  const auto begins = Subtree::build(nodes, true, false);
  const auto ends = Subtree::build(nodes, false, true);
  EXPECT_THAT(Subtree::merge(ends, ends), FailsWith(ErrorCode::kInvalidArgument, "left"));
  EXPECT_THAT(Subtree::merge(begins, begins), FailsWith(ErrorCode::kInvalidArgument, "right"));
}

TEST(Subtree, HasNoRootUnlessItIsTheWholeFile) {
  const auto nodes = published_nodes();
  EXPECT_THAT(Subtree::build(nodes, true, false).aggregate(), FailsWith(ErrorCode::kInvalidArgument));
  EXPECT_THAT(Subtree::build(nodes, false, true).file_hash(), FailsWith(ErrorCode::kInvalidArgument));
}

TEST(Subtree, RefusesCountsThatDoNotMatchItsNodes) {
  const auto nodes = published_nodes();
  const auto good = Subtree::build(nodes, true, false);
  const auto end = Subtree::build(nodes, false, true);
  for (const Levels& levels : {Levels{}, Levels{{0, 0}}, Levels{{117, 0}}, Levels{{4294967295, 4294967295}},
                               Levels{{0, 35}, {0, 58}, {22, 0}}}) {
    auto bad = good;
    bad.levels = levels;
    EXPECT_THAT(bad.check(), FailsWith(ErrorCode::kCorruption));
    EXPECT_THAT(Subtree::merge(bad, end), FailsWith(ErrorCode::kCorruption));
  }
  auto two_roots = Subtree::build(nodes, true, true);
  two_roots.nodes.push_back(two_roots.nodes[0]);
  two_roots.levels.back().right = 1;
  EXPECT_THAT(two_roots.aggregate(), FailsWith(ErrorCode::kCorruption));
}

}  // namespace
}  // namespace xet::hash
