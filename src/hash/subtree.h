#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "hash/tree.h"
#include "xet/hash.h"
#include "xet/result.h"

namespace xet::hash {

/// The aggregated hash of a run of chunks in the middle of a file, in a form that neighbouring runs can be
/// merged into (docs/format/hashing.md, "Subtrees"): when a part of a file is replaced, the unchanged runs
/// come from the server as subtrees and only the new part is hashed.
///
/// The run's inner groups do not depend on what lies beyond its ends, so they are folded into their parents;
/// near the ends the nodes are kept. Memory grows with the logarithm of the number of chunks. The
/// representation is the one the Xet protocol carries, node for node. Plain value.
struct Subtree {
  /// Nodes kept at the left and right end of one level.
  struct Level {
    uint32_t left = 0;
    uint32_t right = 0;
    friend bool operator==(const Level&, const Level&) = default;
  };

  std::vector<Level> levels;    ///< from the bottom up; at least one
  std::vector<TreeNode> nodes;  ///< left parts from level 0 up, then right parts from the top level down
  bool at_start = false;        ///< the run begins the file
  bool at_end = false;          ///< the run ends the file

  /// The subtree of a run of chunks.
  static Subtree build(std::span<const TreeNode> chunks, bool at_start, bool at_end);

  /// The subtree of two neighbouring runs, `a` on the left. kInvalidArgument when `a` ends the file or `b`
  /// begins it. The final hash does not depend on the order of merges; the representation may.
  static Result<Subtree> merge(const Subtree& a, const Subtree& b);

  /// Whether the counts of `levels` add up to the number of nodes: subtrees come from the network. merge()
  /// and the hashes give kCorruption when not.
  Status check() const;

  /// Sum of the sizes of all chunks of the run.
  uint64_t size() const;

  /// Root of a whole file: kInvalidArgument unless the run both begins and ends it.
  Result<NodeHash> aggregate() const;
  /// The root under the zero salt as the name of the file; the zero hash for the empty file.
  Result<FileHash> file_hash() const;

  friend bool operator==(const Subtree&, const Subtree&) = default;
};

}  // namespace xet::hash
