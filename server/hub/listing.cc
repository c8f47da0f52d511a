// What lies in a revision: trees, files, bytes.

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/try.h"
#include "server/hub/hub.h"
#include "server/hub/names.h"
#include "server/hub/tree_reader.h"

namespace xet::hub {

namespace {

using store::HubRepository;

tl::unexpected<Refusal> no_entry(std::string_view path) {
  return refuse(Reason::kNoEntry, fmt::format("{} does not exist in this revision", path));
}

/// What listings are sorted by: a folder stands in front of what is in it, and both stand together.
std::string sort_key(std::string_view path, bool is_folder) {
  std::string out(path);
  if (is_folder) out.push_back('/');
  return out;
}

std::string below(std::string_view folder, std::string_view name) {
  return folder.empty() ? std::string(name) : fmt::format("{}/{}", folder, name);
}

/// A folder whose names are still being gone through.
struct OpenFolder {
  std::string path;
  std::vector<std::pair<std::string, TreeEntry>> entries;  // by sort key, last first: taken from the back
};

OpenFolder open_folder(std::string path, const Tree& tree) {
  OpenFolder out{.path = std::move(path), .entries = {tree.begin(), tree.end()}};
  std::ranges::sort(out.entries, std::greater<>(),
                    [](const auto& entry) { return sort_key(entry.first, entry.second.is_folder); });
  return out;
}

}  // namespace

Done Hub::fill(const HubRepository& repository, std::span<Entry> entries) {
  std::vector<GitId> ids;
  std::vector<Entry*> files;
  for (auto& entry : entries) {
    if (entry.is_folder) continue;
    ids.push_back(entry.id);
    files.push_back(&entry);
  }
  XET_TRY(const auto blobs, store_.blobs(repository.id, ids, kMaxPointerBytes));
  std::vector<Sha256Digest> wanted;
  std::vector<Entry*> pointers;
  for (size_t i = 0; i < files.size(); ++i) {
    const auto& blob = blobs[i];
    if (!blob) {
      return tl::unexpected<Refusal>(
          Error{ErrorCode::kCorruption,
                fmt::format("repository {} lacks the blob {}", repository.id, ids[i].hex())});
    }
    files[i]->size_bytes = blob->size_bytes;
    const auto pointer = blob->data ? decode_pointer(*blob->data) : std::nullopt;
    if (!pointer) continue;
    wanted.push_back(pointer->sha256);
    pointers.push_back(files[i]);
  }
  XET_TRY(const auto found, store_.lfs_files(repository.id, wanted));
  for (size_t i = 0; i < pointers.size(); ++i) {
    if (!found[i]) continue;  // a text that looks like a pointer, to nothing that was uploaded here
    pointers[i]->pointer_bytes = std::exchange(pointers[i]->size_bytes, found[i]->size_bytes);
    pointers[i]->lfs = found[i];
  }
  return {};
}

Done Hub::fill_last_commits(const HubRepository& repository, const Revision& revision,
                            std::span<Entry> entries) {
  GitId id = revision.commit;
  XET_TRY(Commit now, commit(repository, id));
  std::vector<Entry*> open;
  for (auto& entry : entries) open.push_back(&entry);
  TreeReader trees(store_, repository.id);
  for (size_t n = 0; !open.empty() && n < kMaxHistory; ++n) {
    std::optional<Commit> before;
    if (now.parent) {
      XET_TRY(before, commit(repository, *now.parent));
    }
    const bool same_tree = before && before->tree == now.tree;
    std::vector<Entry*> still_open;
    for (Entry* entry : open) {
      if (before && !same_tree) {
        XET_TRY(const auto was, trees.look_up(before->tree, entry->path));
        if (was && was->id == entry->id) {
          still_open.push_back(entry);
          continue;
        }
      } else if (same_tree) {
        still_open.push_back(entry);
        continue;
      }
      entry->last_commit = {.id = id, .title = now.title(), .time_s = now.time_s};
    }
    open = std::move(still_open);
    if (!before) break;
    id = *now.parent;
    now = *std::move(before);
  }
  return {};
}

Outcome<Page<Entry>> Hub::list_tree(const HubRepository& repository, const Revision& revision,
                                    std::string_view path, const ListOptions& options) {
  if (!path.empty()) XET_TRY_STATUS(check_path(path));
  TreeReader trees(store_, repository.id);
  XET_TRY(const auto top, trees.look_up(revision.tree, path));
  if (!top || !top->is_folder) return no_entry(path);
  XET_TRY(const auto names, trees.tree(top->id));
  std::vector<OpenFolder> open;
  open.push_back(open_folder(std::string(path), *names));
  Page<Entry> out;
  while (!open.empty()) {
    auto& folder = open.back();
    if (folder.entries.empty()) {
      open.pop_back();
      continue;
    }
    const auto [name, entry] = std::move(folder.entries.back());
    folder.entries.pop_back();
    const std::string entry_path = below(folder.path, name);
    const std::string key = sort_key(entry_path, entry.is_folder);
    const bool is_over = key <= options.after;
    const bool holds_cursor = entry.is_folder && options.after.starts_with(key);
    if (is_over && !holds_cursor) continue;
    if (!is_over) {
      if (out.items.size() == options.limit) {
        const auto& last = out.items.back();
        out.next = sort_key(last.path, last.is_folder);
        break;
      }
      out.items.push_back({.path = entry_path,
                           .id = entry.id,
                           .is_folder = entry.is_folder,
                           .lfs = std::nullopt,
                           .last_commit = std::nullopt});
    }
    if (!entry.is_folder || !options.recursive) continue;
    XET_TRY(const auto deeper, trees.tree(entry.id));
    open.push_back(open_folder(entry_path, *deeper));
  }
  XET_TRY_STATUS(fill(repository, out.items));
  if (options.with_last_commit) XET_TRY_STATUS(fill_last_commits(repository, revision, out.items));
  return out;
}

Outcome<std::vector<Entry>> Hub::entries(const HubRepository& repository, const Revision& revision,
                                         std::span<const std::string> paths, bool with_last_commit) {
  if (paths.size() > kMaxPaths)
    return refuse(Reason::kTooLarge, "more than 1000 paths are asked for at once");
  std::vector<Entry> out;
  TreeReader trees(store_, repository.id);
  for (const auto& path : paths) {
    XET_TRY_STATUS(check_path(path));
    XET_TRY(const auto found, trees.look_up(revision.tree, path));
    if (!found) continue;
    out.push_back({.path = path,
                   .id = found->id,
                   .is_folder = found->is_folder,
                   .lfs = std::nullopt,
                   .last_commit = std::nullopt});
  }
  XET_TRY_STATUS(fill(repository, out));
  if (with_last_commit) XET_TRY_STATUS(fill_last_commits(repository, revision, out));
  return out;
}

Outcome<Entry> Hub::file(const HubRepository& repository, const Revision& revision, std::string_view path) {
  XET_TRY_STATUS(check_path(path));
  XET_TRY(const auto found, TreeReader(store_, repository.id).look_up(revision.tree, path));
  if (!found || found->is_folder) return no_entry(path);
  Entry out{.path = std::string(path),
            .id = found->id,
            .is_folder = false,
            .lfs = std::nullopt,
            .last_commit = std::nullopt};
  XET_TRY_STATUS(fill(repository, std::span(&out, 1)));
  return out;
}

Outcome<ByteVector> Hub::content(const HubRepository& repository, const Entry& file) {
  XET_TRY(auto object, store_.object(repository.id, file.id));
  if (!object) return no_entry(file.path);
  return std::move(object->data);
}

}  // namespace xet::hub
