#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>

#include "xet/hash.h"

namespace xet::store {

/// Name of an object inside an ObjectStore, with '/' between folder and file: "x/ab/<xorb>.<generation>".
/// The bytes stored under a key never change; what has to be stored anew gets the next generation.
struct ObjectKey {
  std::string path;
  friend auto operator<=>(const ObjectKey&, const ObjectKey&) = default;
};

/// A xorb's packed chunks followed by a footer of ours.
ObjectKey xorb_key(const XorbHash& xorb, uint32_t generation);
/// A shard in its stored form. Its name is the hash of its bytes, so it needs no generation.
ObjectKey shard_key(const ShardHash& shard);
/// The compiled manifest of a file with many terms.
ObjectKey manifest_key(const FileHash& file, uint32_t generation);

/// The parts of a key, as it was made by one of the above.
template <class HashType>
struct KeyParts {
  HashType hash;
  uint32_t generation = 0;
};
/// nullopt for any other text.
std::optional<KeyParts<XorbHash>> parse_xorb_key(const ObjectKey& key);
std::optional<KeyParts<FileHash>> parse_manifest_key(const ObjectKey& key);
std::optional<ShardHash> parse_shard_key(const ObjectKey& key);

}  // namespace xet::store
