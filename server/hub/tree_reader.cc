#include "server/hub/tree_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/try.h"

namespace xet::hub {

Outcome<std::shared_ptr<const Tree>> TreeReader::tree(const GitId& id) {
  if (const auto known = trees_.find(id); known != trees_.end()) return known->second;
  XET_TRY(const auto object, store_.object(repository_, id));
  if (!object || object->kind != GitKind::kTree) {
    return tl::unexpected<Refusal>(
        Error{ErrorCode::kCorruption, fmt::format("repository {} lacks the tree {}", repository_, id.hex())});
  }
  XET_TRY(auto names, decode_tree(object->data));
  auto out = std::make_shared<const Tree>(std::move(names));
  if (n_entries_ + out->size() > max_entries_) {
    trees_.clear();
    n_entries_ = 0;
  }
  n_entries_ += out->size();
  trees_.emplace(id, out);
  return out;
}

Outcome<std::optional<TreeEntry>> TreeReader::look_up(const GitId& root, std::string_view path) {
  TreeEntry at{.id = root, .is_folder = true};
  while (!path.empty()) {
    if (!at.is_folder) return std::nullopt;
    const size_t end = std::min(path.find('/'), path.size());
    XET_TRY(const auto names, tree(at.id));
    const auto found = names->find(path.substr(0, end));
    if (found == names->end()) return std::nullopt;
    at = found->second;
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return at;
}

}  // namespace xet::hub
