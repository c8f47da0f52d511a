#include "hash/subtree.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>

#include "base/check.h"
#include "hash/blake3.h"

namespace xet::hash {

namespace {

using Nodes = std::span<const TreeNode>;

// Between two successive nodes that may end a group, 3 to 7 apart, the grouping always cuts after the second,
// wherever it began. The protocol's representation asks for two such gaps in a row and keeps the nodes up to
// the middle one.
constexpr size_t kMinStableGap = 3;
constexpr size_t kMaxStableGap = 7;

bool is_stable_gap(size_t gap) {
  return kMinStableGap <= gap && gap <= kMaxStableGap;
}

/// The end of the middle node of the first stable triple that a walk over the nodes meets; `index(k)` is the
/// place of its k-th step.
template <class Index>
std::optional<size_t> stable_cut(Nodes nodes, Index index) {
  std::optional<size_t> before_last;
  std::optional<size_t> last;
  for (size_t k = 0; k < nodes.size(); ++k) {
    if (!ends_group(nodes[index(k)].hash)) continue;
    if (before_last && is_stable_gap(*last - *before_last) && is_stable_gap(k - *last))
      return index(*last) + 1;
    before_last = last;
    last = k;
  }
  return std::nullopt;
}

std::optional<size_t> first_stable_cut(Nodes nodes) {
  return stable_cut(nodes, [](size_t k) { return k; });
}
std::optional<size_t> last_stable_cut(Nodes nodes) {
  return stable_cut(nodes, [&](size_t k) { return nodes.size() - 1 - k; });
}

/// Places in a level where the grouping is known to cut because the nodes on their other side have gone up
/// before: the promoted part must begin or end there, or it would not be next to its neighbours above.
struct KnownCuts {
  std::optional<size_t> begin;
  std::optional<size_t> end;
};

/// One level on its way: what stays at the left and at the right, and the parents of the groups between.
struct Split {
  Nodes left;
  Nodes right;
  std::vector<TreeNode> promoted;
};

Split split_level(Nodes nodes, bool at_start, bool at_end, KnownCuts known) {
  const size_t stay_left = known.begin.value_or(known.end.value_or(nodes.size()));
  const Split all_stays{nodes.first(stay_left), nodes.subspan(stay_left), {}};
  if (nodes.size() <= 1) return all_stays;

  const auto begin = at_start ? 0 : known.begin ? known.begin : first_stable_cut(nodes);
  if (!begin) return all_stays;
  auto end = at_end ? nodes.size() : known.end;
  if (!end) {
    if (const auto cut = last_stable_cut(nodes.subspan(*begin))) end = *begin + *cut;
  }
  if (!end || *begin >= *end) return all_stays;

  Split out{nodes.first(*begin), nodes.subspan(*end), {}};
  for (Nodes rest = nodes.subspan(*begin, *end - *begin); !rest.empty();) {
    const size_t n = group_length(rest);
    out.promoted.push_back(parent_of(rest.first(n)));
    rest = rest.subspan(n);
  }
  return out;
}

/// Collects the kept parts of the levels from the bottom up and lays them out flat at the end.
class Assembly {
 public:
  Assembly(bool at_start, bool at_end) : at_start_(at_start), at_end_(at_end) {}

  /// Splits the next level and keeps its ends; returns what goes up. The run's end is a group's end only
  /// while nothing was kept there on the levels below.
  std::vector<TreeNode> add_level(Nodes nodes, KnownCuts known) {
    auto split = split_level(nodes, at_start_ && left_.empty(), at_end_ && n_right_ == 0, known);
    keep(split.left, split.right);
    return std::move(split.promoted);
  }
  /// Levels on top of those there are, until nothing goes up.
  void add_levels_above(std::vector<TreeNode> promoted) {
    while (promoted.size() > 1) promoted = add_level(promoted, {});
    if (promoted.size() == 1) keep(promoted, {});
  }

  Subtree finish() && {
    while (levels_.size() > 1 && levels_.back() == Subtree::Level{}) {
      levels_.pop_back();
      rights_.pop_back();
    }
    Subtree out;
    out.levels = std::move(levels_);
    out.nodes = std::move(left_);
    out.nodes.reserve(out.nodes.size() + n_right_);
    for (size_t level = rights_.size(); level-- > 0;) {
      out.nodes.insert(out.nodes.end(), rights_[level].begin(), rights_[level].end());
    }
    out.at_start = at_start_;
    out.at_end = at_end_;
    return out;
  }

 private:
  void keep(Nodes left, Nodes right) {
    XET_CHECK(std::max(left.size(), right.size()) <= std::numeric_limits<uint32_t>::max());
    levels_.push_back({static_cast<uint32_t>(left.size()), static_cast<uint32_t>(right.size())});
    left_.insert(left_.end(), left.begin(), left.end());
    rights_.emplace_back(right.begin(), right.end());
    n_right_ += right.size();
  }

  bool at_start_;
  bool at_end_;
  std::vector<Subtree::Level> levels_;
  std::vector<TreeNode> left_;  // of all levels, the way they are laid out
  std::vector<std::vector<TreeNode>> rights_;
  size_t n_right_ = 0;
};

/// The kept parts of a checked subtree, level by level.
class LevelReader {
 public:
  explicit LevelReader(const Subtree& tree) : tree_(tree), right_end_(tree.nodes.size()) {}

  /// Goes to the next level; nothing is there above the top.
  void next() {
    left_begin_ += left().size();
    right_end_ -= right().size();
    ++level_;
  }
  Nodes left() const { return Nodes(tree_.nodes).subspan(left_begin_, counts().left); }
  Nodes right() const { return Nodes(tree_.nodes).subspan(right_end_ - counts().right, counts().right); }
  /// Whether higher levels have nodes: those lie between left() and right().
  bool has_more_above() const { return right_end_ - left_begin_ > left().size() + right().size(); }

 private:
  Subtree::Level counts() const {
    return level_ < tree_.levels.size() ? tree_.levels[level_] : Subtree::Level{};
  }

  const Subtree& tree_;
  size_t level_ = 0;
  size_t left_begin_ = 0;
  size_t right_end_;
};

void append(std::vector<TreeNode>& out, Nodes nodes) {
  out.insert(out.end(), nodes.begin(), nodes.end());
}

}  // namespace

Subtree Subtree::build(std::span<const TreeNode> chunks, bool at_start, bool at_end) {
  Assembly assembly(at_start, at_end);
  assembly.add_levels_above(assembly.add_level(chunks, {}));
  return std::move(assembly).finish();
}

Result<Subtree> Subtree::merge(const Subtree& a, const Subtree& b) {
  XET_TRY_STATUS(a.check());
  XET_TRY_STATUS(b.check());
  if (a.at_end || b.at_start) {
    return fail(ErrorCode::kInvalidArgument, a.at_end ? "cannot merge: the left subtree ends its file"
                                                      : "cannot merge: the right subtree begins its file");
  }
  Assembly assembly(a.at_start, b.at_end);
  // On each level: what `a` kept, what came up from between the two, what `b` kept. Where an operand has
  // nodes above, they lie between its left and its right part, and the grouping cuts at the end of the one
  // and at the start of the other.
  LevelReader left(a);
  LevelReader right(b);
  std::vector<TreeNode> carry;
  for (size_t i = 0; i < std::max(a.levels.size(), b.levels.size()); ++i, left.next(), right.next()) {
    std::vector<TreeNode> level;
    append(level, left.left());
    append(level, left.right());
    append(level, carry);
    append(level, right.left());
    append(level, right.right());
    KnownCuts known;
    if (left.has_more_above()) known.begin = left.left().size();
    if (right.has_more_above()) known.end = level.size() - right.right().size();
    carry = assembly.add_level(level, known);
  }
  assembly.add_levels_above(std::move(carry));
  return std::move(assembly).finish();
}

Status Subtree::check() const {
  uint64_t n = 0;
  for (const auto& level : levels) n += uint64_t{level.left} + level.right;
  if (levels.empty() || n != nodes.size()) {
    return fail(ErrorCode::kCorruption, "hash subtree: its " + std::to_string(levels.size()) +
                                            " levels count " + std::to_string(n) + " nodes, it has " +
                                            std::to_string(nodes.size()));
  }
  return {};
}

uint64_t Subtree::size() const {
  uint64_t out = 0;
  for (const auto& node : nodes) out += node.size;
  return out;
}

Result<NodeHash> Subtree::aggregate() const {
  XET_TRY_STATUS(check());
  if (!at_start || !at_end) {
    return fail(ErrorCode::kInvalidArgument,
                "hash subtree: only one that begins and ends its file has a root");
  }
  if (nodes.empty()) return NodeHash{};
  if (nodes.size() > 1) {
    return fail(ErrorCode::kCorruption,
                "hash subtree of a whole file: one node expected, it has " + std::to_string(nodes.size()));
  }
  return nodes[0].hash;
}

Result<FileHash> Subtree::file_hash() const {
  XET_TRY(const auto root, aggregate());
  if (nodes.empty()) return FileHash{};
  return detail::salted_file_hash(root);
}

}  // namespace xet::hash
