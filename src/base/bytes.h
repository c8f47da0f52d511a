#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "base/try.h"
#include "xet/hash.h"
#include "xet/result.h"

namespace xet {

using ByteSpan = std::span<const std::byte>;
using MutableByteSpan = std::span<std::byte>;
using ByteVector = std::vector<std::byte>;

inline ByteSpan as_byte_span(std::string_view text) {
  return std::as_bytes(std::span(text));
}
inline std::string_view as_chars(ByteSpan bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

template <std::unsigned_integral T>
constexpr T from_little_endian(T value) {
  if constexpr (std::endian::native == std::endian::big && sizeof(T) > 1) {
    T out = 0;
    for (size_t i = 0; i < sizeof(T); ++i) out = static_cast<T>((out << 8) | ((value >> (8 * i)) & 0xff));
    return out;
  }
  return value;
}
template <std::unsigned_integral T>
constexpr T to_little_endian(T value) {
  return from_little_endian(value);
}

/// Forward-only view over untrusted bytes. Never allocates, never reads past the end; what it returns points
/// into the bytes it was made from. `offset()` counts from their start, for error messages.
class ByteReader {
 public:
  explicit ByteReader(ByteSpan in) : in_(in), size_(in.size()) {}

  size_t remaining() const { return in_.size(); }
  size_t offset() const { return size_ - in_.size(); }
  bool at_end() const { return in_.empty(); }

  Result<ByteSpan> take(size_t n) {
    if (n > in_.size()) [[unlikely]]
      return truncated(n);
    const ByteSpan out = in_.first(n);
    in_ = in_.subspan(n);
    return out;
  }

  template <std::unsigned_integral T>
  Result<T> le() {
    XET_TRY(const auto bytes, take(sizeof(T)));
    T value;
    std::memcpy(&value, bytes.data(), sizeof value);  // one load; g++ 12 -O2 does not fuse a byte loop
    return from_little_endian(value);
  }

  template <class HashType>
  Result<HashType> hash() {
    XET_TRY(const auto bytes, take(HashType::kSize));
    return HashType(bytes.template first<HashType::kSize>());
  }

 private:
  tl::unexpected<Error> truncated(size_t wanted) const;

  ByteSpan in_;
  size_t size_;
};

/// Little-endian appends to a growing buffer; the counterpart of ByteReader.
template <std::unsigned_integral T>
void append_le(ByteVector& out, T value) {
  value = to_little_endian(value);
  const auto* bytes = reinterpret_cast<const std::byte*>(&value);
  out.insert(out.end(), bytes, bytes + sizeof value);
}
inline void append_bytes(ByteVector& out, ByteSpan bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}
template <class Tag>
void append_hash(ByteVector& out, const BasicHash<Tag>& hash) {
  append_bytes(out, hash.raw());
}

}  // namespace xet
