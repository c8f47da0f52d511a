// Repositories and buckets as such: which there are, and for whom.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/clock.h"
#include "base/try.h"
#include "server/core/repository_name.h"
#include "server/hub/attributes.h"
#include "server/hub/hub.h"
#include "server/hub/names.h"

namespace xet::hub {

namespace {

using store::HubRepository;
using store::RepositoryName;

constexpr std::string_view kMain = "refs/heads/main";
// Rows looked at in one call of the store.
constexpr uint32_t kScan = 1000;

tl::unexpected<Refusal> no_repository(const RepositoryName& name) {
  return refuse(
      Reason::kNoRepository,
      fmt::format("{} not found", name.type == store::RepositoryType::kBucket ? "Bucket" : "Repository"));
}

/// Who is not known is asked to say who he is; who is known is told no.
tl::unexpected<Refusal> not_allowed(const Identity& who, std::string_view what) {
  if (who.is_anonymous()) return refuse(Reason::kBadCredentials, fmt::format("{} needs a token", what));
  return refuse(Reason::kForbidden, fmt::format("{} is not allowed with this token", what));
}

bool same_folded(char a, char b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; };
  return lower(a) == lower(b);
}

bool equal_folded(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, same_folded);
}

bool contains_folded(std::string_view text, std::string_view part) {
  return std::search(text.begin(), text.end(), part.begin(), part.end(), same_folded) != text.end();
}

Outcome<int64_t> cursor_of(const std::string& text) {
  int64_t out = 0;
  if (text.empty()) return out;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc{} || end != text.data() + text.size() || out < 0) {
    return refuse(Reason::kInvalid, "the cursor is none of ours");
  }
  return out;
}

/// What every repository begins with, so that a branch has a commit from the first moment on.
store::RefUpdate first_commit(const Identity& who, int64_t now_s) {
  store::RefUpdate out{
      .ref = std::string(kMain), .expected = {}, .target = {}, .objects = {}, .lfs_files = {}};
  auto attributes = make_blob(as_byte_span(Attributes::standard()));
  auto tree = encode_tree({{".gitattributes", {.id = attributes.id, .is_folder = false}}});
  auto commit = encode_commit(
      {.tree = tree.id, .parent = {}, .author = who.user, .time_s = now_s, .message = "initial commit\n"});
  out.target = commit.id;
  out.objects = {std::move(attributes), std::move(tree), std::move(commit)};
  return out;
}

}  // namespace

int64_t Hub::now_s() const {
  return now_ms() / 1000;
}

store::TimeMs Hub::now_ms() const {
  return unix_milliseconds(clock_.wall_now());
}

Outcome<HubRepository> Hub::find(const Identity& who, const RepositoryName& name, Right right) {
  XET_TRY(auto found, store_.repository(name));
  if (!found || !who.sees(*found)) return no_repository(name);
  if (right == Right::kWrite && !who.may_write(found->name_space)) {
    return not_allowed(who, fmt::format("writing to {}", found->full_name()));
  }
  return *std::move(found);
}

Outcome<std::optional<HubRepository>> Hub::find(store::RepositoryId id) {
  XET_TRY(auto found, store_.repository(id));
  return found;
}

Outcome<store::HubStore::Created> Hub::create(const Identity& who, const RepositoryName& name,
                                              bool is_private) {
  XET_TRY_STATUS(check_namespace(name.name_space));
  XET_TRY_STATUS(check_repository_name(name.name));
  if (!who.may_write(name.name_space)) {
    return not_allowed(who, fmt::format("creating something in the namespace {}", name.name_space));
  }
  std::optional<store::RefUpdate> first;
  if (name.type != store::RepositoryType::kBucket) first = first_commit(who, now_s());
  XET_TRY(auto created, store_.create_repository(name, is_private, first));
  // A namespace whose name differs in case alone may be somebody else's.
  if (!who.may_write(created.repository.name_space)) {
    return not_allowed(who, fmt::format("creating something in the namespace {}", name.name_space));
  }
  return created;
}

Done Hub::remove(const Identity& who, const RepositoryName& name) {
  XET_TRY(const auto repository, find(who, name, Right::kWrite));
  // Found by a name that it had once, it is not what is meant to go.
  if (!equal_folded(repository.name_space, name.name_space) || !equal_folded(repository.name, name.name)) {
    return no_repository(name);
  }
  XET_TRY_STATUS(store_.delete_repository(repository.id));
  return {};
}

Done Hub::move(const Identity& who, const RepositoryName& from, const RepositoryName& to) {
  XET_TRY_STATUS(check_namespace(to.name_space));
  XET_TRY_STATUS(check_repository_name(to.name));
  XET_TRY(const auto repository, find(who, from, Right::kWrite));
  if (!who.may_write(to.name_space)) {
    return not_allowed(who, fmt::format("moving something to the namespace {}", to.name_space));
  }
  // Deduplication ends at a namespace, and so do the chunks that were stored for it.
  const auto moved = store_.move_repository(repository.id, to);
  if (!moved && moved.error().code == ErrorCode::kInvalidArgument) {
    return refuse(Reason::kExists, fmt::format("A {} repository called {}/{} already exists",
                                               core::type_word(to.type), to.name_space, to.name));
  }
  XET_TRY_STATUS(moved);
  return {};
}

Done Hub::check_known_namespace(const Identity& who, std::string_view name) {
  if (std::ranges::find(who.name_spaces, name) != who.name_spaces.end()) return {};
  XET_TRY(const bool is_user, store_.has_user(name));
  if (is_user) return {};
  using enum store::RepositoryType;
  for (const auto type : {kModel, kDataset, kSpace, kBucket}) {
    XET_TRY(const auto seen, list(who, type, name, /*search=*/"", /*after=*/"", /*limit=*/1));
    if (!seen.items.empty()) return {};
  }
  return refuse(Reason::kNoRepository, "there is no user or namespace of this name");
}

Done Hub::set_private(const HubRepository& repository, bool is_private) {
  XET_TRY_STATUS(store_.set_private(repository.id, is_private));
  return {};
}

Outcome<Page<HubRepository>> Hub::list(const Identity& who, store::RepositoryType type,
                                       std::string_view name_space, std::string_view search,
                                       const std::string& after, size_t limit) {
  XET_TRY(int64_t cursor, cursor_of(after));
  Page<HubRepository> out;
  for (;;) {
    XET_TRY(auto rows, store_.repositories(type, name_space, cursor, kScan));
    for (auto& row : rows) {
      cursor = row.id;
      if (!who.sees(row) || !contains_folded(row.full_name(), search)) continue;
      if (out.items.size() == limit) {
        out.next = fmt::format("{}", out.items.back().id);
        return out;
      }
      out.items.push_back(std::move(row));
    }
    if (rows.size() < kScan) return out;
  }
}

}  // namespace xet::hub
