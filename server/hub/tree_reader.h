#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string_view>

#include "server/hub/git.h"
#include "server/hub/refusal.h"
#include "server/store/hub_store.h"

namespace xet::hub {

/// Reads trees of one repository and remembers them, so that a call that asks about a thousand paths, or
/// about one path in a thousand commits, reads each tree once. For one call; not thread-safe; `store` must
/// outlive it.
class TreeReader {
 public:
  /// An entry of a tree takes about a hundred bytes; when more than `max_entries` come together, all are
  /// forgotten.
  TreeReader(store::HubStore& store, store::RepositoryId repository, size_t max_entries = 200'000)
      : store_(store), repository_(repository), max_entries_(max_entries) {}

  /// kCorruption, as kStore, when the repository lacks it.
  Outcome<std::shared_ptr<const Tree>> tree(const GitId& id);

  /// What `path` is below `root`; the root itself for "". nullopt when there is nothing.
  Outcome<std::optional<TreeEntry>> look_up(const GitId& root, std::string_view path);

 private:
  store::HubStore& store_;
  store::RepositoryId repository_;
  size_t max_entries_;
  std::map<GitId, std::shared_ptr<const Tree>> trees_;
  size_t n_entries_ = 0;  // in these
};

}  // namespace xet::hub
