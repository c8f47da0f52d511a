#include "server/store/object_key.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>
#include <system_error>

namespace xet::store {

namespace {
// Two printed digits give 256 folders: enough to keep listings short and to spread S3 prefixes.
std::string in_folder(char kind, const std::string& hex) {
  return fmt::format("{}/{}/{}", kind, std::string_view(hex).substr(0, 2), hex);
}
}  // namespace

ObjectKey xorb_key(const XorbHash& xorb, uint32_t generation) {
  return {fmt::format("{}.{}", in_folder('x', xorb.hex()), generation)};
}

ObjectKey shard_key(const ShardHash& shard) {
  return {in_folder('s', shard.hex())};
}

ObjectKey manifest_key(const FileHash& file, uint32_t generation) {
  return {fmt::format("{}.{}", in_folder('m', file.hex()), generation)};
}

namespace {

/// "<hash>[.<generation>]" of a key of this kind. Only what would be made again is taken, so that two keys
/// never mean the same.
template <class HashType>
std::optional<KeyParts<HashType>> parse(char kind, const std::string& path, bool has_generation) {
  constexpr size_t kFolder = 5;  // "x/ab/"
  constexpr size_t kHexDigits = 2 * HashType::kSize;
  const std::string_view name = std::string_view(path).substr(std::min(kFolder, path.size()));
  const auto hash = HashType::from_hex(name.substr(0, std::min(kHexDigits, name.size())));
  if (!hash) return std::nullopt;
  KeyParts<HashType> out{.hash = *hash};
  std::string expected = in_folder(kind, hash->hex());
  if (has_generation) {
    if (name.size() <= kHexDigits + 1) return std::nullopt;
    const std::string_view digits = name.substr(kHexDigits + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out.generation);
    if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
    expected += fmt::format(".{}", out.generation);
  }
  if (path != expected) return std::nullopt;
  return out;
}

}  // namespace

std::optional<KeyParts<XorbHash>> parse_xorb_key(const ObjectKey& key) {
  return parse<XorbHash>('x', key.path, true);
}

std::optional<KeyParts<FileHash>> parse_manifest_key(const ObjectKey& key) {
  return parse<FileHash>('m', key.path, true);
}

std::optional<ShardHash> parse_shard_key(const ObjectKey& key) {
  const auto parts = parse<ShardHash>('s', key.path, false);
  if (!parts) return std::nullopt;
  return parts->hash;
}

}  // namespace xet::store
