#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "xet/export.h"

namespace xet {

namespace detail {
XET_EXPORT std::string hash_to_hex(std::span<const std::byte, 32> raw);
XET_EXPORT bool hash_from_hex(std::string_view hex, std::span<std::byte, 32> raw);
}  // namespace detail

/// A 32-byte hash of the Xet formats. `Tag` keeps hashes of different things apart: a ChunkHash is no
/// XorbHash.
///
/// The value is four 64-bit words, each stored little-endian. The string form prints the words in order as 16
/// hex digits each, so within each group of 8 bytes it runs against the raw bytes. Order is the order of the
/// string forms. Plain value; all members may be used from any thread.
template <class Tag>
class BasicHash {
 public:
  static constexpr size_t kSize = 32;

  constexpr BasicHash() = default;  ///< all zero
  explicit BasicHash(std::span<const std::byte, kSize> raw) { std::memcpy(raw_.data(), raw.data(), kSize); }
  /// Reads one kind of hash as another, where the formats say that they are the same number
  /// (a xorb of one chunk has that chunk's hash).
  template <class Other>
  explicit BasicHash(const BasicHash<Other>& other) : BasicHash(other.raw()) {}

  /// Exactly 64 hex digits, either case; anything else gives nullopt.
  static std::optional<BasicHash> from_hex(std::string_view hex) {
    BasicHash out;
    if (!detail::hash_from_hex(hex, out.raw_)) return std::nullopt;
    return out;
  }
  std::string hex() const { return detail::hash_to_hex(raw_); }

  std::span<const std::byte, kSize> raw() const { return raw_; }

  /// Word i (0 to 3) as a number. Word 0 is the "truncated hash" of lookup tables, word 3 decides `hash % n`.
  constexpr uint64_t word(size_t i) const {
    uint64_t out = 0;
    for (size_t b = 8; b-- > 0;) out = (out << 8) | std::to_integer<uint64_t>(raw_[i * 8 + b]);
    return out;
  }
  static constexpr BasicHash from_words(uint64_t w0, uint64_t w1, uint64_t w2, uint64_t w3) {
    BasicHash out;
    const uint64_t words[4] = {w0, w1, w2, w3};
    for (size_t i = 0; i < kSize; ++i) out.raw_[i] = static_cast<std::byte>(words[i / 8] >> (8 * (i % 8)));
    return out;
  }

  bool is_zero() const { return *this == BasicHash{}; }

  friend bool operator==(const BasicHash&, const BasicHash&) = default;
  friend constexpr std::strong_ordering operator<=>(const BasicHash& a, const BasicHash& b) {
    for (size_t i = 0; i < 4; ++i) {
      if (const auto order = a.word(i) <=> b.word(i); order != 0) return order;
    }
    return std::strong_ordering::equal;
  }

 private:
  std::array<std::byte, kSize> raw_{};
};

using ChunkHash = BasicHash<struct ChunkHashTag>;  ///< keyed BLAKE3 of a chunk's uncompressed bytes
using NodeHash = BasicHash<struct NodeHashTag>;    ///< a node of the aggregated hash tree
using XorbHash = BasicHash<struct XorbHashTag>;    ///< names a xorb: aggregated hash of its chunks
using FileHash = BasicHash<struct FileHashTag>;    ///< names a file; all zero for the empty file
using RangeHash =
    BasicHash<struct RangeHashTag>;  ///< shows knowledge of the chunk hashes behind one file term
using ShardHash = BasicHash<struct ShardHashTag>;  ///< names a stored shard file
using HmacKey = BasicHash<struct HmacKeyTag>;      ///< key of a keyed shard; all zero means "not keyed"
/// SHA-256 in the same word form: its string form is the ordinary SHA-256 hex (see Sha256::finish in
/// src/hash).
using Sha256Digest = BasicHash<struct Sha256Tag>;

}  // namespace xet

template <class Tag>
struct std::hash<xet::BasicHash<Tag>> {
  size_t operator()(const xet::BasicHash<Tag>& value) const noexcept {
    size_t out = 0;  // the bytes are uniform already
    std::memcpy(&out, value.raw().data(), sizeof out);
    return out;
  }
};
