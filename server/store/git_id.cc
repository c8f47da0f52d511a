#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "hash/sha1.h"
#include "server/store/hub_store.h"

namespace xet::store {

namespace {

std::string_view name_of(GitKind kind) {
  switch (kind) {
    case GitKind::kBlob:
      return "blob";
    case GitKind::kTree:
      return "tree";
    case GitKind::kCommit:
      return "commit";
  }
  return "";
}

}  // namespace

GitId GitId::of(GitKind kind, ByteSpan data) {
  std::string header = fmt::format("{} {}", name_of(kind), data.size());
  header.push_back('\0');
  return GitId{hash::sha1({as_byte_span(header), data})};
}

std::string GitId::hex() const {
  return to_hex(raw);
}

std::optional<GitId> GitId::from_hex(std::string_view hex) {
  GitId out;
  if (!xet::from_hex(hex, out.raw)) return std::nullopt;
  return out;
}

std::optional<GitId> GitId::from_raw(ByteSpan bytes) {
  GitId out;
  if (bytes.size() != out.raw.size()) return std::nullopt;
  std::ranges::copy(bytes, out.raw.begin());
  return out;
}

}  // namespace xet::store
