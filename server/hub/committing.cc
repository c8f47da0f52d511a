// How commits come about.

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "base/try.h"
#include "server/hub/attributes.h"
#include "server/hub/hub.h"
#include "server/hub/ignores.h"
#include "server/hub/names.h"
#include "server/hub/tree_reader.h"

namespace xet::hub {

namespace {

using store::HubRepository;

/// A tree that is being changed: folders are read when something in them changes, and only those are written
/// anew.
class TreeEditor {
 public:
  TreeEditor(TreeReader trees, const GitId& root) : trees_(std::move(trees)) { root_.id = root; }

  Done put(std::string_view path, const GitId& blob) {
    Folder* folder = &root_;
    std::string_view rest = path;
    for (size_t slash = rest.find('/'); slash != std::string_view::npos; slash = rest.find('/')) {
      XET_TRY_STATUS(load(*folder));
      const auto name = rest.substr(0, slash);
      rest.remove_prefix(slash + 1);
      auto at = folder->names.find(name);
      if (at == folder->names.end()) {
        at = folder->names.emplace(name, Node{}).first;
        at->second.folder = std::make_unique<Folder>();
        at->second.folder->loaded = true;
      } else if (!at->second.folder) {
        return refuse(Reason::kInvalid, fmt::format("{}: a part of this path is a file", path));
      }
      folder->changed = true;
      folder = at->second.folder.get();
    }
    XET_TRY_STATUS(load(*folder));
    auto& node = folder->names[std::string(rest)];
    if (node.folder) return refuse(Reason::kInvalid, fmt::format("{} is a folder", path));
    node.blob = blob;
    folder->changed = true;
    return {};
  }

  /// False when there is no such file, or folder.
  Outcome<bool> remove(std::string_view path, bool is_folder) {
    std::vector<Folder*> parents = {&root_};
    std::string_view rest = path;
    for (size_t slash = rest.find('/'); slash != std::string_view::npos; slash = rest.find('/')) {
      XET_TRY_STATUS(load(*parents.back()));
      const auto at = parents.back()->names.find(rest.substr(0, slash));
      if (at == parents.back()->names.end() || !at->second.folder) return false;
      parents.push_back(at->second.folder.get());
      rest.remove_prefix(slash + 1);
    }
    XET_TRY_STATUS(load(*parents.back()));
    const auto at = parents.back()->names.find(rest);
    if (at == parents.back()->names.end() || (at->second.folder != nullptr) != is_folder) return false;
    parents.back()->names.erase(at);
    for (Folder* parent : parents) parent->changed = true;
    return true;
  }

  Done clear() {
    root_.names.clear();
    root_.loaded = root_.changed = true;
    return {};
  }

  /// The id of the changed tree; its new objects are appended.
  GitId write(std::vector<GitObject>& out) { return *write(root_, out, /*is_root=*/true); }

 private:
  struct Folder;
  struct Node {
    GitId blob;  // of a file
    std::unique_ptr<Folder> folder;
  };
  struct Folder {
    GitId id;  // as it was read
    bool loaded = false;
    bool changed = false;
    std::map<std::string, Node, std::less<>> names;
  };

  Done load(Folder& folder) {
    if (std::exchange(folder.loaded, true)) return {};
    XET_TRY(const auto tree, trees_.tree(folder.id));
    for (const auto& [name, entry] : *tree) {
      auto& node = folder.names[name];
      if (entry.is_folder) {
        node.folder = std::make_unique<Folder>();
        node.folder->id = entry.id;
      } else {
        node.blob = entry.id;
      }
    }
    return {};
  }

  /// nullopt for a folder in which nothing is left: Git has none.
  static std::optional<GitId> write(Folder& folder, std::vector<GitObject>& out, bool is_root) {
    if (!folder.changed) return folder.id;
    Tree tree;
    for (auto& [name, node] : folder.names) {
      if (!node.folder) {
        tree.emplace(name, TreeEntry{.id = node.blob, .is_folder = false});
      } else if (const auto id = write(*node.folder, out, /*is_root=*/false)) {
        tree.emplace(name, TreeEntry{.id = *id, .is_folder = true});
      }
    }
    if (tree.empty() && !is_root) return std::nullopt;
    auto object = encode_tree(tree);
    const auto id = object.id;
    out.push_back(std::move(object));
    return id;
  }

  TreeReader trees_;
  Folder root_;
};

std::string message_of(const CommitRequest& request) {
  std::string out = request.summary.empty() ? "Upload" : request.summary;
  std::replace(out.begin(), out.end(), '\n', ' ');
  out.push_back('\n');
  if (!request.description.empty()) out += "\n" + request.description + "\n";
  return out;
}

std::string_view without_slash(std::string_view path) {
  if (path.ends_with('/')) path.remove_suffix(1);
  return path;
}

bool is_binary(std::string_view sample) {
  return sample.find('\0') != std::string_view::npos;
}

/// What the operations bring along, whatever they are applied to.
struct Content {
  std::vector<GitId> blobs;  // one for each operation; of those that bring none, nothing
  std::vector<GitObject> objects;
  std::vector<store::LfsFile> lfs_files;
};

Done apply(TreeEditor& tree, std::span<const Operation> operations, const Content& content) {
  for (size_t i = 0; i < operations.size(); ++i) {
    const auto& operation = operations[i];
    switch (operation.kind) {
      case Operation::Kind::kFile:
      case Operation::Kind::kLfsFile:
        XET_TRY_STATUS(tree.put(operation.path, content.blobs[i]));
        break;
      case Operation::Kind::kDeleteFile: {
        XET_TRY(bool was_there, tree.remove(operation.path, /*is_folder=*/false));
        // Clients that do not know what it is call a folder a file.
        if (!was_there) {
          XET_TRY(was_there, tree.remove(operation.path, /*is_folder=*/true));
        }
        if (!was_there) {
          return refuse(Reason::kNoEntry,
                        fmt::format("A file with this name doesn't exist: {}", operation.path));
        }
        break;
      }
      case Operation::Kind::kDeleteFolder: {
        const auto path = without_slash(operation.path);
        if (path.empty()) {
          XET_TRY_STATUS(tree.clear());
          break;
        }
        XET_TRY(const bool was_there, tree.remove(path, /*is_folder=*/true));
        if (!was_there) {
          return refuse(Reason::kNoEntry,
                        fmt::format("A file with this name doesn't exist: there is no folder {}", path));
        }
        break;
      }
    }
  }
  return {};
}

Done check_operation(const Operation& operation) {
  // Whoever reads such a file has all of it in memory for a moment, so they are small.
  if (operation.content.size() > Hub::kMaxRegularBytes) {
    return refuse(Reason::kTooLarge,
                  fmt::format("{}: more than {} bytes do not go into a commit; upload the file first",
                              operation.path, Hub::kMaxRegularBytes));
  }
  if (operation.kind != Operation::Kind::kDeleteFolder) return check_path(operation.path);
  const auto path = without_slash(operation.path);
  return path.empty() && operation.path == "/" ? Done() : check_path(path);
}

}  // namespace

Outcome<std::string> Hub::text_of(const HubRepository& repository, const Revision& revision,
                                  std::string_view path) {
  XET_TRY(const auto entry, TreeReader(store_, repository.id).look_up(revision.tree, path));
  if (!entry || entry->is_folder) return std::string();
  XET_TRY(const auto object, store_.object(repository.id, entry->id));
  return std::string(object ? as_chars(object->data) : std::string_view());
}

Done Hub::preupload(const HubRepository& repository, const Revision& revision,
                    const std::optional<std::string>& ignores_text, std::span<Preupload> files) {
  if (files.size() > kMaxPreupload) {
    return refuse(Reason::kTooLarge, "more than 256 files are asked about at once");
  }
  XET_TRY(const auto attributes_text, text_of(repository, revision, ".gitattributes"));
  std::string stored_ignores;
  if (!ignores_text) {
    XET_TRY(stored_ignores, text_of(repository, revision, ".gitignore"));
  }
  const Attributes attributes(attributes_text);
  const Ignores ignores(ignores_text ? *ignores_text : stored_ignores);
  std::vector<std::string> paths;
  for (const auto& file : files) paths.push_back(file.path);
  XET_TRY(const auto known, entries(repository, revision, paths, /*with_last_commit=*/false));
  for (auto& file : files) {
    file.as_lfs =
        file.size_bytes > kMaxRegularBytes || attributes.is_lfs(file.path) || is_binary(file.sample);
    file.is_ignored = ignores.is_ignored(file.path);
    const auto at = std::ranges::find(known, file.path, &Entry::path);
    if (at != known.end() && !at->is_folder) file.known_id = at->lfs ? at->lfs->sha256.hex() : at->id.hex();
  }
  return {};
}

Outcome<std::optional<store::LfsFile>> Hub::lfs_file(const HubRepository& repository,
                                                     const Sha256Digest& sha256) {
  XET_TRY(auto found, store_.lfs_files(repository.id, std::span(&sha256, 1)));
  return found.front();
}

Outcome<GitId> Hub::commit(const Identity& who, const HubRepository& repository, std::string_view branch,
                           const CommitRequest& request) {
  if (request.operations.size() > kMaxOperations) {
    return refuse(Reason::kTooLarge, "a commit of more than 25000 lines");
  }
  Content content;
  std::vector<Sha256Digest> wanted;
  for (const auto& operation : request.operations) {
    XET_TRY_STATUS(check_operation(operation));
    if (operation.kind == Operation::Kind::kLfsFile) wanted.push_back(operation.sha256);
  }
  XET_TRY(const auto uploaded, store_.lfs_files(repository.id, wanted));
  size_t n_lfs = 0;
  for (const auto& operation : request.operations) {
    auto& blob = content.blobs.emplace_back();
    if (operation.kind == Operation::Kind::kFile) {
      auto object = make_blob(operation.content);
      blob = object.id;
      content.objects.push_back(std::move(object));
    } else if (operation.kind == Operation::Kind::kLfsFile) {
      const auto& file = uploaded[n_lfs++];
      if (!file) {
        return refuse(Reason::kInvalid, fmt::format("{}: its content {} was not uploaded to this repository",
                                                    operation.path, operation.sha256.hex()));
      }
      const auto text = encode_pointer({.sha256 = file->sha256, .size_bytes = file->size_bytes});
      auto object = make_blob(as_byte_span(text));
      blob = object.id;
      content.objects.push_back(std::move(object));
      content.lfs_files.push_back(*file);
    }
  }

  std::string ref = fmt::format("refs/heads/{}", branch);
  if (branch.starts_with("refs/heads/") || branch.starts_with("refs/pr/")) ref = branch;
  for (;;) {
    XET_TRY(const auto head, store_.ref(repository.id, ref));
    if (!head) return refuse(Reason::kNoRevision, fmt::format("Invalid rev id: {}", branch.substr(0, 100)));
    if (request.parent && *request.parent != *head) {
      return refuse(Reason::kMoved,
                    fmt::format("The branch was updated since you opened this page. Please refresh and try "
                                "again. ({} is at commit {} now, not at {}; nothing was committed)",
                                branch, head->hex(), request.parent->hex()));
    }
    XET_TRY(const auto last, commit(repository, *head));
    TreeEditor editor(TreeReader(store_, repository.id), last.tree);
    XET_TRY_STATUS(apply(editor, request.operations, content));
    auto objects = content.objects;
    const auto new_tree = editor.write(objects);
    if (new_tree == last.tree) return *head;
    auto made = encode_commit({.tree = new_tree,
                               .parent = head,
                               .author = who.user,
                               .time_s = now_s(),
                               .message = message_of(request)});
    const auto id = made.id;
    objects.push_back(std::move(made));
    XET_TRY(const bool done, store_.update_ref({.repository = repository.id,
                                                .ref = ref,
                                                .expected = head,
                                                .target = id,
                                                .objects = std::move(objects),
                                                .lfs_files = content.lfs_files}));
    if (done) return id;
    // Somebody else was faster; once more, on what he made.
  }
}

Outcome<std::vector<Sha256Digest>> Hub::share(const HubRepository& from, const HubRepository& to,
                                              std::span<const Sha256Digest> files) {
  XET_TRY(const auto known, store_.lfs_files(from.id, files));
  std::vector<FileHash> wanted;
  wanted.reserve(known.size());
  for (const auto& file : known) {
    if (file) wanted.push_back(file->file);
  }
  XET_TRY(const auto has, store_.share_receipts(from.id, to.id, wanted));
  std::vector<Sha256Digest> missing;
  size_t n_known = 0;
  for (size_t i = 0; i < files.size(); ++i) {
    if (!known[i] || !has[n_known++]) missing.push_back(files[i]);
  }
  return missing;
}

}  // namespace xet::hub
