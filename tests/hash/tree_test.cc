#include "hash/tree.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "hash/blake3.h"
#include "support/generators.h"
#include "support/temp_dir.h"

namespace xet::hash {
namespace {

using nlohmann::json;
using testing::SplitMix64;

/// Comparing a string with a json value is ambiguous in C++20.
std::string text_of(const nlohmann::json& value) {
  return value.get<std::string>();
}

/// The tree straight from its definition: level by level, the text of each group built as a string.
TreeNode reference_parent(std::span<const TreeNode> group) {
  std::string text;
  uint64_t size = 0;
  for (const auto& node : group) {
    text += node.hash.hex() + " : " + std::to_string(node.size) + "\n";
    size += node.size;
  }
  return {detail::internal_node_hash(as_byte_span(text)), size};
}

size_t reference_group(std::span<const TreeNode> rest) {
  if (rest.size() <= 2) return rest.size();
  const size_t end = std::min<size_t>(9, rest.size());
  for (size_t i = 2; i < end; ++i) {
    if (rest[i].hash.word(3) % 4 == 0) return i + 1;
  }
  return end;
}

NodeHash reference_aggregate(std::vector<TreeNode> level) {
  if (level.empty()) return {};
  while (level.size() > 1) {
    std::vector<TreeNode> above;
    for (size_t at = 0; at < level.size();) {
      const auto rest = std::span<const TreeNode>(level).subspan(at);
      const size_t n = reference_group(rest);
      above.push_back(reference_parent(rest.first(n)));
      at += n;
    }
    level = std::move(above);
  }
  return level[0].hash;
}

/// Node for seed s of the published cases: random(s) with size 100 s; the zero hash for seed 0.
TreeNode node_of_seed(uint64_t seed) {
  return {seed == 0 ? NodeHash{} : testing::random_hash(seed), 100 * seed};
}

json golden(const std::string& name) {
  std::ifstream in(testing::test_data("golden/hashing/" + name));
  return json::parse(in);
}

TEST(Aggregate, GivesThePublishedCases) {
  const auto cases = golden("aggregate_cases.json");
  ASSERT_EQ(cases.size(), 18U);
  for (uint64_t k = 0; k < cases.size(); ++k) {
    SCOPED_TRACE(k);
    std::vector<TreeNode> nodes;
    TreeHasher tree;
    for (const uint64_t seed : cases[k]["seeds"]) {
      nodes.push_back(node_of_seed(seed));
      tree.add(nodes.back());
    }
    const auto root = aggregate(nodes);
    EXPECT_EQ(root.hex(), text_of(cases[k]["aggregate"]));
    EXPECT_EQ(reference_aggregate(nodes), root);
    EXPECT_EQ(tree.finish_file().hex(), text_of(cases[k]["file_zero_salt"]));
    // Other salts are keys over the root; production has none, so they only confirm the root.
    const auto& salted = cases[k]["salted"];
    EXPECT_EQ(testing::random_hash(1234 + 2 * k).hex(), text_of(salted[0][0]));
    EXPECT_EQ(testing::random_hash(12345 + 2 * k).hex(), text_of(salted[1][0]));
    for (const auto& pair : salted) {
      const auto salt = HmacKey::from_hex(pair[0].get<std::string>()).value();
      const auto hash = nodes.empty() ? ChunkHash{} : keyed_chunk_hash(salt, ChunkHash(root));
      EXPECT_EQ(hash.hex(), text_of(pair[1]));
    }
  }
}

TEST(Aggregate, GivesThePublishedElementaryValues) {
  const TreeNode chunk1{NodeHash(chunk_hash(as_byte_span("chunk1"))), 100};
  const TreeNode chunk2{NodeHash(chunk_hash(as_byte_span("chunk2"))), 200};
  EXPECT_EQ(
      parent_of(std::vector{chunk1, chunk2}),
      (TreeNode{
          NodeHash::from_hex("be64c7003ccd3cf4357364750e04c9592b3c36705dee76a71590c011766b6c14").value(),
          300}));

  std::vector<TreeNode> five;
  for (uint64_t i = 1; i <= 5; ++i) five.push_back({testing::random_hash(i), 100 * i});
  EXPECT_EQ(group_length(five), 4U) << "a leftover of one follows";
  EXPECT_EQ(aggregate(five).hex(), "f0ecd946c6b70ee8f7968d0bbda171a8c63906021c083cc480ab64df7446d819");

  const std::vector<ChunkInfo> words = {{chunk_hash(as_byte_span("hello")), 5},
                                        {chunk_hash(as_byte_span("world")), 5}};
  EXPECT_EQ(xorb_hash(words).hex(), "f7c3cfe2dc13f683314da28c82d146c4d36cdca049270c1b3b79b7ef9c58a970");
  EXPECT_EQ(file_hash(words).hex(), "68a18cc5944c424c1e415b75ec1489601464a50f56278d0bcf4c8fe2c1f51c6f");
}

TEST(Aggregate, AgreesWithTheGoldenTreeLevelByLevel) {
  const auto tree = golden("tree.json")["tree"];
  std::vector<TreeNode> level;
  std::string text;
  for (size_t i = 0; i < tree["leaves"].size(); ++i) {
    const std::string content(i + 1, static_cast<char>('a' + i));
    level.push_back({NodeHash(chunk_hash(as_byte_span(content))), content.size()});
    EXPECT_EQ(level[i].hash.hex(), text_of(tree["leaves"][i][0]));
    EXPECT_EQ(level[i].size, tree["leaves"][i][1]);
    if (i < tree["levels"][0]["group_sizes"][0])
      text += level[i].hash.hex() + " : " + std::to_string(i + 1) + "\n";
  }
  EXPECT_EQ(text, text_of(tree["text_of_first_group"]));
  EXPECT_EQ(aggregate(level).hex(), text_of(tree["aggregate"]));
  EXPECT_EQ(detail::salted_file_hash(aggregate(level)).hex(), text_of(tree["file_hash"]));
  for (const auto& expected : tree["levels"]) {
    std::vector<TreeNode> above;
    std::span<const TreeNode> rest = level;
    for (const size_t group_size : expected["group_sizes"]) {
      EXPECT_EQ(group_length(rest), group_size);
      above.push_back(parent_of(rest.first(group_size)));
      rest = rest.subspan(group_size);
    }
    EXPECT_TRUE(rest.empty());
    ASSERT_EQ(above.size(), expected["nodes"].size());
    for (size_t i = 0; i < above.size(); ++i) {
      EXPECT_EQ(above[i].hash.hex(), text_of(expected["nodes"][i][0]));
      EXPECT_EQ(above[i].size, expected["nodes"][i][1]);
    }
    level = above;
  }
}

TEST(TreeHasher, EqualsTheDefinitionForEverySizeUpTo3000) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr size_t kStep = 37;  // the reference hashes the whole list each time
#else
  constexpr size_t kStep = 1;
#endif
  std::vector<TreeNode> nodes;
  TreeHasher growing;
  for (size_t n = 0; n <= 3000; ++n) {
    if (n < 200 || n % kStep == 0) {
      TreeHasher tree = growing;
      ASSERT_EQ(tree.finish(), reference_aggregate(nodes)) << n;
    }
    nodes.push_back({testing::random_hash(n + 1), 8192 + n});
    growing.add(nodes.back());
  }
}

TEST(TreeHasher, EqualsTheDefinitionWhereEveryNodeOrNoNodeMayEndAGroup) {
  for (const uint64_t low_bits : {0, 1}) {
    std::vector<TreeNode> nodes;
    for (size_t n = 0; n <= 300; ++n) {
      ASSERT_EQ(aggregate(nodes), reference_aggregate(nodes)) << n << " " << low_bits;
      const auto hash = testing::random_hash(n);
      nodes.push_back(
          {NodeHash::from_words(hash.word(0), hash.word(1), hash.word(2), (n << 2) | low_bits), n});
    }
  }
}

TEST(TreeHasher, EqualsTheDefinitionForRandomSizes) {
  SplitMix64 random(21);
  for (int round = 0; round < 10; ++round) {
    std::vector<TreeNode> nodes(random.below(20000));
    TreeHasher tree;
    uint64_t size = 0;
    for (auto& node : nodes) {
      node = {NodeHash::from_words(random.next(), random.next(), random.next(), random.next()),
              random.below(131073)};
      tree.add(node);
      size += node.size;
    }
    EXPECT_EQ(tree.size(), size);
    EXPECT_EQ(tree.finish(), reference_aggregate(nodes)) << nodes.size();
  }
}

TEST(TreeHasher, WritesTheLargestSizesInFull) {
  std::vector<TreeNode> nodes;
  for (uint64_t i = 0; i < 9; ++i) {
    nodes.push_back(
        {NodeHash::from_words(i, i, i, 4 * i + 1), UINT64_MAX - i});  // 20 digits each, nine in a group
  }
  EXPECT_EQ(group_length(nodes), 9U);
  EXPECT_EQ(aggregate(nodes), reference_aggregate(nodes));
}

TEST(TreeHasher, OfOneNodeIsThatNode) {
  TreeHasher tree;
  tree.add({testing::random_hash(9), 17});
  EXPECT_EQ(tree.finish(), testing::random_hash(9));
}

}  // namespace
}  // namespace xet::hash
