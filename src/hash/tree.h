#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "xet/hash.h"

namespace xet::hash {

/// One chunk of a file or xorb: its hash and its uncompressed length in bytes.
struct ChunkInfo {
  ChunkHash hash;
  uint32_t len_bytes = 0;

  friend bool operator==(const ChunkInfo&, const ChunkInfo&) = default;
};

/// A node of the aggregated hash tree: hash, and the sum of the uncompressed lengths below it.
struct TreeNode {
  NodeHash hash;
  uint64_t size = 0;

  friend bool operator==(const TreeNode&, const TreeNode&) = default;
};

/// Constants of the grouping rule (docs/format/hashing.md, "Where a group ends").
inline constexpr size_t kMaxGroup = 9;
inline constexpr size_t kMinGroup = 3;
/// A node that may end a group: hash % 4 == 0.
inline bool ends_group(const NodeHash& hash) {
  return hash.word(3) % 4 == 0;
}
/// Length of the group that starts a list of `nodes` (all that is left of a level). At least 1 for a
/// non-empty list.
size_t group_length(std::span<const TreeNode> nodes);
/// The parent of one group.
TreeNode parent_of(std::span<const TreeNode> group);

/// The aggregated hash of a list of nodes, fed in order, in memory that grows with the logarithm of their
/// number: a group's end depends only on what came before it, so each level keeps at most one unfinished
/// group.
///
///     TreeHasher tree;
///     for (const auto& chunk : chunks) tree.add(chunk);
///     FileHash hash = tree.finish_file();
///
/// Not thread-safe. After a finish the object is spent; assign a new one to go on.
class TreeHasher {
 public:
  void add(const TreeNode& node) { add_at(0, node); }
  void add(const ChunkInfo& chunk) { add(TreeNode{NodeHash(chunk.hash), chunk.len_bytes}); }

  /// Sum of the lengths added so far.
  uint64_t size() const { return size_; }

  /// Root of the tree; zero hash for an empty list; the node itself for a list of one.
  NodeHash finish();
  /// Root as the name of a xorb.
  XorbHash finish_xorb() { return XorbHash(finish()); }
  /// Root under the zero salt as the name of a file; the zero hash for the empty file.
  FileHash finish_file();

 private:
  struct Level {
    std::array<TreeNode, kMaxGroup> pending;
    size_t n_pending = 0;
    bool emitted = false;  // a group of this level has become a node of the next
  };
  void add_at(size_t level, const TreeNode& node);
  void close_group(size_t level);

  std::vector<Level> levels_;
  uint64_t size_ = 0;
};

NodeHash aggregate(std::span<const TreeNode> nodes);
XorbHash xorb_hash(std::span<const ChunkInfo> chunks);
FileHash file_hash(std::span<const ChunkInfo> chunks);

}  // namespace xet::hash
