// Branches, tags, commits.

#include <fmt/format.h>

#include "base/try.h"
#include "server/hub/hub.h"
#include "server/hub/names.h"

namespace xet::hub {

namespace {

using store::HubRepository;

constexpr std::string_view kHeads = "refs/heads/";
constexpr std::string_view kTags = "refs/tags/";
constexpr size_t kHexDigits = 40;
// Git and its users shorten ids to no less.
constexpr size_t kMinPrefix = 7;

}  // namespace

Outcome<Commit> Hub::commit(const HubRepository& repository, const GitId& id) {
  XET_TRY(const auto object, store_.object(repository.id, id));
  if (!object || object->kind != GitKind::kCommit) {
    return refuse(Reason::kNoRevision, fmt::format("Invalid rev id: {}", id.hex()));
  }
  XET_TRY(auto out, decode_commit(object->data));
  return out;
}

Outcome<std::optional<GitId>> Hub::commit_by_prefix(const HubRepository& repository, std::string_view hex) {
  if (hex.size() < kMinPrefix || hex.size() >= kHexDigits) return std::nullopt;
  const std::string missing(kHexDigits - hex.size(), '0');
  const auto first = GitId::from_hex(std::string(hex) + missing);
  if (!first) return std::nullopt;
  const auto last = GitId::from_hex(std::string(hex) + std::string(missing.size(), 'f'));
  XET_TRY(const auto found, store_.commits_between(repository.id, *first, *last, 2));
  if (found.size() != 1) return std::nullopt;  // what several begin with names none
  return found.front();
}

Outcome<Revision> Hub::revision(const HubRepository& repository, std::string_view name) {
  std::optional<GitId> id;
  for (const auto folder : {kHeads, kTags, std::string_view()}) {
    if (folder.empty() && !name.starts_with("refs/")) continue;
    XET_TRY(id, store_.ref(repository.id, std::string(folder) + std::string(name)));
    if (id) break;
  }
  if (!id) id = GitId::from_hex(name);
  if (!id) {
    XET_TRY(id, commit_by_prefix(repository, name));
  }
  if (!id) return refuse(Reason::kNoRevision, fmt::format("Invalid rev id: {}", name.substr(0, 100)));
  XET_TRY(const auto found, commit(repository, *id));
  return Revision{.commit = *id, .tree = found.tree};
}

Outcome<std::vector<store::Ref>> Hub::refs(const HubRepository& repository) {
  XET_TRY(auto out, store_.refs(repository.id));
  return out;
}

Outcome<Page<std::pair<GitId, Commit>>> Hub::commits(const HubRepository& repository,
                                                     const Revision& revision, const std::string& after,
                                                     size_t limit) {
  Page<std::pair<GitId, Commit>> out;
  std::optional<GitId> at = revision.commit;
  if (!after.empty()) {
    at = GitId::from_hex(after);
    if (!at) return refuse(Reason::kInvalid, "the cursor is none of ours");
  }
  while (at) {
    if (out.items.size() == limit) {
      out.next = at->hex();
      return out;
    }
    XET_TRY(auto found, commit(repository, *at));
    const auto id = *at;
    at = found.parent;
    out.items.emplace_back(id, std::move(found));
  }
  return out;
}

Done Hub::create_ref(const HubRepository& repository, std::string_view folder, std::string_view name,
                     const GitId& commit) {
  XET_TRY_STATUS(check_ref_name(name));
  const std::string ref = std::string(folder) + std::string(name);
  // As in Git's files, a name cannot be a folder of others at the same time.
  XET_TRY(const auto others, store_.refs(repository.id));
  for (const auto& other : others) {
    if (other.name == ref) return refuse(Reason::kExists, fmt::format("Reference {} already exists", ref));
    if (other.name.starts_with(ref + "/") || ref.starts_with(other.name + "/")) {
      return refuse(Reason::kExists, fmt::format("{} is in the way of {}", other.name, name));
    }
  }
  XET_TRY(const bool made, store_.update_ref({.repository = repository.id,
                                              .ref = ref,
                                              .expected = {},
                                              .target = commit,
                                              .objects = {},
                                              .lfs_files = {}}));
  if (!made) return refuse(Reason::kExists, fmt::format("Reference {} already exists", ref));
  return {};
}

Done Hub::delete_ref(const HubRepository& repository, std::string_view folder, std::string_view name) {
  const std::string ref = std::string(folder) + std::string(name);
  if (ref == "refs/heads/main") return refuse(Reason::kForbidden, "Cannot delete refs/heads/main");
  for (;;) {
    XET_TRY(const auto current, store_.ref(repository.id, ref));
    if (!current) return refuse(Reason::kNoRevision, fmt::format("Invalid rev id: {}", name.substr(0, 100)));
    XET_TRY(const bool gone, store_.update_ref({.repository = repository.id,
                                                .ref = ref,
                                                .expected = current,
                                                .target = {},
                                                .objects = {},
                                                .lfs_files = {}}));
    if (gone) return {};
  }
}

Done Hub::squash(const Identity& who, const HubRepository& repository, std::string_view branch,
                 std::string_view message) {
  const std::string ref = std::string(kHeads) + std::string(branch);
  for (;;) {
    XET_TRY(const auto head, store_.ref(repository.id, ref));
    if (!head) return refuse(Reason::kNoRevision, fmt::format("Invalid rev id: {}", branch.substr(0, 100)));
    XET_TRY(const auto last, commit(repository, *head));
    auto squashed = encode_commit({.tree = last.tree,
                                   .parent = {},
                                   .author = who.user,
                                   .time_s = now_s(),
                                   .message = std::string(message) + "\n"});
    const auto id = squashed.id;
    XET_TRY(const bool done, store_.update_ref({.repository = repository.id,
                                                .ref = ref,
                                                .expected = head,
                                                .target = id,
                                                .objects = {std::move(squashed)},
                                                .lfs_files = {}}));
    if (done) return {};
  }
}

}  // namespace xet::hub
