#include "hash/tree.h"

#include <algorithm>
#include <charconv>

#include "base/bytes.h"
#include "hash/blake3.h"

namespace xet::hash {

size_t group_length(std::span<const TreeNode> nodes) {
  const size_t longest = std::min(kMaxGroup, nodes.size());
  for (size_t i = kMinGroup - 1; i < longest; ++i) {
    if (ends_group(nodes[i].hash)) return i + 1;
  }
  return longest;
}

TreeNode parent_of(std::span<const TreeNode> group) {
  // One line per child: 64 hex digits, " : ", the decimal size, LF. At most 88 characters each.
  std::array<char, kMaxGroup * 88> text;
  char* at = text.data();
  uint64_t size = 0;
  for (const auto& node : group) {
    const std::string hex = node.hash.hex();
    at = std::copy(hex.begin(), hex.end(), at);
    *at++ = ' ';
    *at++ = ':';
    *at++ = ' ';
    at = std::to_chars(at, text.data() + text.size(), node.size).ptr;
    *at++ = '\n';
    size += node.size;
  }
  const std::string_view lines(text.data(), static_cast<size_t>(at - text.data()));
  return {detail::internal_node_hash(as_byte_span(lines)), size};
}

void TreeHasher::add_at(size_t level, const TreeNode& node) {
  if (level == 0) size_ += node.size;
  if (level == levels_.size()) levels_.emplace_back();
  auto& here = levels_[level];
  here.pending[here.n_pending++] = node;
  const bool full = here.n_pending == kMaxGroup;
  if (full || (here.n_pending >= kMinGroup && ends_group(node.hash))) close_group(level);
}

void TreeHasher::close_group(size_t level) {
  const TreeNode parent = parent_of(std::span(levels_[level].pending).first(levels_[level].n_pending));
  levels_[level].n_pending = 0;
  levels_[level].emitted = true;
  add_at(level + 1, parent);  // may grow levels_: no reference into it is held here
}

NodeHash TreeHasher::finish() {
  for (size_t level = 0; level < levels_.size(); ++level) {
    const bool only_node = !levels_[level].emitted && levels_[level].n_pending == 1;
    if (only_node) return levels_[level].pending[0].hash;
    if (levels_[level].n_pending > 0) close_group(level);  // a leftover of one is a group too
  }
  return {};
}

FileHash TreeHasher::finish_file() {
  if (levels_.empty()) return {};
  return detail::salted_file_hash(finish());
}

NodeHash aggregate(std::span<const TreeNode> nodes) {
  TreeHasher tree;
  for (const auto& node : nodes) tree.add(node);
  return tree.finish();
}

XorbHash xorb_hash(std::span<const ChunkInfo> chunks) {
  TreeHasher tree;
  for (const auto& chunk : chunks) tree.add(chunk);
  return tree.finish_xorb();
}

FileHash file_hash(std::span<const ChunkInfo> chunks) {
  TreeHasher tree;
  for (const auto& chunk : chunks) tree.add(chunk);
  return tree.finish_file();
}

}  // namespace xet::hash
