#pragma once

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "chunk/gear.h"
#include "support/generators.h"

namespace xet::testing {

/// False in builds that are too slow for inputs of tens of megabytes.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__OPTIMIZE__)
inline constexpr bool kFastBuild = false;
#else
inline constexpr bool kFastBuild = true;
#endif

/// The trigger test written out: sum of T[b] * 2^(63 - i) over the 64 bytes before `e`, top 16 bits zero.
inline bool is_trigger_at(ByteSpan data, size_t e) {
  if (e < 64 || e > data.size()) return false;
  uint64_t sum = 0;
  for (size_t i = 0; i < 64; ++i) {
    sum += chunk::gear_table()[std::to_integer<size_t>(data[e - 64 + i])] << (63 - i);
  }
  return (sum & 0xFFFF000000000000U) == 0;
}

/// The set of triggers, one window at a time.
inline std::vector<uint32_t> reference_triggers(ByteSpan data) {
  std::vector<uint32_t> out;
  for (size_t e = 64; e <= data.size(); ++e) {
    if (is_trigger_at(data, e)) out.push_back(static_cast<uint32_t>(e));
  }
  return out;
}

/// Chunk ends by the three rules of the format, position by position: a trigger at 8192 bytes or more, 131072
/// bytes, the end of the data.
inline std::vector<uint32_t> reference_cuts(ByteSpan data) {
  std::vector<uint32_t> out;
  size_t begin = 0;
  for (size_t e = 1; e <= data.size(); ++e) {
    const size_t length = e - begin;
    if ((length >= 8192 && is_trigger_at(data, e)) || length == 131072 || e == data.size()) {
      out.push_back(static_cast<uint32_t>(e));
      begin = e;
    }
  }
  return out;
}

inline std::vector<uint32_t> ends_of(const std::vector<uint32_t>& lengths) {
  std::vector<uint32_t> out(lengths.size());
  std::partial_sum(lengths.begin(), lengths.end(), out.begin());
  return out;
}

inline ByteVector repeat(std::string_view pattern, size_t n) {
  ByteVector out(n);
  for (size_t i = 0; i < n; ++i) out[i] = static_cast<std::byte>(pattern[i % pattern.size()]);
  return out;
}

/// A trigger at every third byte: found by trying all periods of three bytes; none of one or two has any.
inline ByteVector dense_bytes(size_t n) {
  return repeat(std::string_view("\x12\x04\x00", 3), n);
}

/// 64 bytes that are a trigger and that, between zero bytes, form no other: from random data.
inline ByteVector trigger_block() {
  const auto data = random_bytes(300000, 77);
  for (const uint32_t e : reference_triggers(data)) {
    ByteVector framed(192);
    std::copy_n(data.begin() + e - 64, 64, framed.begin() + 64);
    if (reference_triggers(framed) == std::vector<uint32_t>{128}) {
      return {framed.begin() + 64, framed.begin() + 128};
    }
  }
  return {};
}

/// Zero bytes (which trigger nowhere) with a trigger exactly at each of `ends`.
inline ByteVector zeros_with_triggers(size_t n, const std::vector<uint32_t>& ends) {
  static const ByteVector block = trigger_block();
  ByteVector out(n);
  for (const uint32_t e : ends) std::copy(block.begin(), block.end(), out.begin() + e - 64);
  return out;
}

/// 128 bytes with triggers, followed by `pad` zero bytes, over and over: the published minimum-size tests.
inline ByteVector padded_pattern(size_t pad) {
  constexpr std::array<uint64_t, 16> kWords = {
      0x9a342a229f4b7ee0, 0x46ec0cc44fecb27c, 0x7f3263b22cb0ae7e, 0xfaebcdaefc7a230a,
      0x1465d645c1087369, 0x9ee4786f88a2c6fb, 0xd3b7fdfca4933f10, 0xbaa27517aa24cdbb,
      0xae4cd2aed3af0cad, 0x913b0246deb59fe3, 0xb69cbd33e26a1832, 0xb79d8c0a0817d446,
      0x0aea1721dbfe27ec, 0x4631bf7409730f65, 0x1a9fa5dc0faa387d, 0x5ca35eeb26283151};
  ByteVector out;
  for (size_t i = 0; i < 128; ++i) out.push_back(static_cast<std::byte>(kWords[i / 8] >> (56 - 8 * (i % 8))));
  out.resize(128 + pad);
  while (out.size() < 65536) {
    const size_t n = std::min<size_t>(out.size(), 65536 - out.size());
    out.resize(out.size() + n);
    std::copy_n(out.begin(), n, out.end() - static_cast<ptrdiff_t>(n));
  }
  return out;
}

}  // namespace xet::testing
