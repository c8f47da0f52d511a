#include "server/hub/git.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

namespace xet::hub {

namespace {

constexpr std::string_view kFileMode = "100644";
constexpr std::string_view kFolderMode = "40000";
constexpr std::string_view kMailDomain = "users.noreply.localhost";
constexpr std::string_view kPointerBegin = "version https://git-lfs.github.com/spec/v1\noid sha256:";
constexpr size_t kHexDigits = 64;

tl::unexpected<Error> broken(std::string_view what) {
  return fail(ErrorCode::kCorruption, fmt::format("a stored {} cannot be read", what));
}

void append_text(ByteVector& out, std::string_view text) {
  append_bytes(out, as_byte_span(text));
}

/// Takes what stands before `end` off the front; nullopt when there is no `end`.
std::optional<std::string_view> take_until(std::string_view& text, char end) {
  const size_t at = text.find(end);
  if (at == std::string_view::npos) return std::nullopt;
  const auto out = text.substr(0, at);
  text.remove_prefix(at + 1);
  return out;
}

/// Takes a line "NAME VALUE" off the front.
std::optional<std::string_view> take_field(std::string_view& text, std::string_view name) {
  if (!text.starts_with(name) || text.size() == name.size() || text[name.size()] != ' ') return std::nullopt;
  text.remove_prefix(name.size() + 1);
  return take_until(text, '\n');
}

template <class T>
std::optional<T> number_of(std::string_view text) {
  T out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return out;
}

}  // namespace

GitObject make_object(GitKind kind, ByteVector data) {
  return {.id = GitId::of(kind, data), .kind = kind, .data = std::move(data)};
}

GitObject encode_tree(const Tree& tree) {
  std::vector<std::pair<std::string, const Tree::value_type*>> sorted;
  sorted.reserve(tree.size());
  for (const auto& entry : tree) {
    sorted.emplace_back(entry.second.is_folder ? entry.first + "/" : entry.first, &entry);
  }
  std::ranges::sort(sorted);
  ByteVector data;
  for (const auto& [key, entry] : sorted) {
    append_text(data, entry->second.is_folder ? kFolderMode : kFileMode);
    append_text(data, " ");
    append_text(data, entry->first);
    data.push_back(std::byte{0});
    append_bytes(data, entry->second.id.raw);
  }
  return make_object(GitKind::kTree, std::move(data));
}

Result<Tree> decode_tree(ByteSpan data) {
  Tree out;
  auto text = as_chars(data);
  while (!text.empty()) {
    const auto mode = take_until(text, ' ');
    const auto name = mode ? take_until(text, '\0') : std::nullopt;
    if (!name || (*mode != kFileMode && *mode != kFolderMode) || text.size() < GitId().raw.size()) {
      return broken("tree");
    }
    const auto id = GitId::from_raw(as_byte_span(text.substr(0, GitId().raw.size())));
    text.remove_prefix(GitId().raw.size());
    out.emplace(*name, TreeEntry{.id = *id, .is_folder = *mode == kFolderMode});
  }
  return out;
}

std::string Commit::description() const {
  const size_t gap = message.find("\n\n");
  if (gap == std::string::npos) return {};
  std::string out = message.substr(gap + 2);
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

GitObject encode_commit(const Commit& commit) {
  std::string text = fmt::format("tree {}\n", commit.tree.hex());
  if (commit.parent) text += fmt::format("parent {}\n", commit.parent->hex());
  const auto who =
      fmt::format("{} <{}@{}> {} +0000", commit.author, commit.author, kMailDomain, commit.time_s);
  text += fmt::format("author {}\ncommitter {}\n\n{}", who, who, commit.message);
  const auto bytes = as_byte_span(text);
  return make_object(GitKind::kCommit, ByteVector(bytes.begin(), bytes.end()));
}

Result<Commit> decode_commit(ByteSpan data) {
  auto text = as_chars(data);
  Commit out;
  const auto tree = take_field(text, "tree");
  const auto tree_id = tree ? GitId::from_hex(*tree) : std::nullopt;
  if (!tree_id) return broken("commit");
  out.tree = *tree_id;
  if (const auto parent = take_field(text, "parent")) {
    out.parent = GitId::from_hex(*parent);
    if (!out.parent) return broken("commit");
  }
  auto author = take_field(text, "author");
  if (!author || !take_field(text, "committer") || !text.starts_with('\n')) return broken("commit");
  const size_t mail = author->find(" <");
  const size_t time = author->find("> ");
  const size_t zone = author->rfind(' ');
  if (mail == std::string_view::npos || time == std::string_view::npos || zone <= time + 2) {
    return broken("commit");
  }
  const auto seconds = number_of<int64_t>(author->substr(time + 2, zone - time - 2));
  if (!seconds) return broken("commit");
  out.author = std::string(author->substr(0, mail));
  out.time_s = *seconds;
  out.message = std::string(text.substr(1));
  return out;
}

std::string encode_pointer(const LfsPointer& pointer) {
  return fmt::format("{}{}\nsize {}\n", kPointerBegin, pointer.sha256.hex(), pointer.size_bytes);
}

std::optional<LfsPointer> decode_pointer(ByteSpan data) {
  auto text = as_chars(data);
  if (text.size() > kMaxPointerBytes || !text.starts_with(kPointerBegin)) return std::nullopt;
  text.remove_prefix(kPointerBegin.size());
  const auto digest = Sha256Digest::from_hex(text.substr(0, std::min(kHexDigits, text.size())));
  if (!digest) return std::nullopt;
  text.remove_prefix(kHexDigits);
  if (!text.starts_with("\nsize ") || !text.ends_with('\n')) return std::nullopt;
  text.remove_prefix(std::string_view("\nsize ").size());
  text.remove_suffix(1);
  const auto size = number_of<uint64_t>(text);
  if (!size) return std::nullopt;
  const LfsPointer out{.sha256 = *digest, .size_bytes = *size};
  // One file has one pointer: no leading zeros, no capitals.
  if (encode_pointer(out) != as_chars(data)) return std::nullopt;
  return out;
}

}  // namespace xet::hub
