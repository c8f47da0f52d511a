#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "server/store/hub_store.h"
#include "xet/hash.h"
#include "xet/result.h"

namespace xet::hub {

using store::GitId;
using store::GitKind;
using store::GitObject;

/// The object with the id that Git gives it.
GitObject make_object(GitKind kind, ByteVector data);
inline GitObject make_blob(ByteSpan data) {
  return make_object(GitKind::kBlob, ByteVector(data.begin(), data.end()));
}

/// One name in a tree.
struct TreeEntry {
  GitId id;
  bool is_folder = false;
};
/// A folder: its names. Git sorts folders as if their names ended with '/'; that is the encoding's business.
using Tree = std::map<std::string, TreeEntry, std::less<>>;

GitObject encode_tree(const Tree& tree);
/// kCorruption for what encode_tree() does not write.
Result<Tree> decode_tree(ByteSpan data);

struct Commit {
  GitId tree;
  std::optional<GitId> parent;
  std::string author;  ///< a user name: no line feeds, '<' or '>'
  int64_t time_s = 0;
  std::string message;

  std::string title() const { return message.substr(0, message.find('\n')); }
  /// What stands behind the title and an empty line.
  std::string description() const;
};

GitObject encode_commit(const Commit& commit);
/// kCorruption for what encode_commit() does not write.
Result<Commit> decode_commit(ByteSpan data);

/// What Git keeps of a file whose bytes are elsewhere: the pointer of Git LFS.
struct LfsPointer {
  Sha256Digest sha256;
  uint64_t size_bytes = 0;
};
std::string encode_pointer(const LfsPointer& pointer);
/// nullopt for all but the exact text that encode_pointer() writes.
std::optional<LfsPointer> decode_pointer(ByteSpan data);
/// No pointer is longer.
inline constexpr uint64_t kMaxPointerBytes = 200;

}  // namespace xet::hub
