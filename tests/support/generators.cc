#include "support/generators.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <string>

namespace xet::testing {

uint64_t SplitMix64::next() {
  uint64_t z = (state_ += 0x9E3779B97F4A7C15U);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31);
}

ByteVector random_bytes(size_t n, uint64_t seed) {
  SplitMix64 generator(seed);
  ByteVector out(n);
  for (size_t at = 0; at < n; at += 8) {
    const uint64_t value = to_little_endian(generator.next());
    std::memcpy(out.data() + at, &value, std::min<size_t>(8, n - at));
  }
  return out;
}

ByteVector text_bytes(size_t n, uint64_t seed) {
  SplitMix64 generator(seed);
  std::array<std::string, 300> words;
  for (auto& word : words) {
    word.resize(3 + generator.below(8));
    for (auto& letter : word) letter = static_cast<char>('a' + generator.below(26));
    word += ' ';
  }
  ByteVector out;
  out.reserve(n + 16);
  while (out.size() < n) append_bytes(out, as_byte_span(words[generator.below(words.size())]));
  out.resize(n);
  return out;
}

ByteVector bf16_bytes(size_t n, uint64_t seed) {
  SplitMix64 generator(seed);
  ByteVector out(n);
  for (size_t at = 0; at + 1 < n; at += 2) {
    double sum = -6;  // twelve uniforms: nearly normal
    for (int i = 0; i < 12; ++i) sum += static_cast<double>(generator.next() >> 11) * 0x1p-53;
    const auto bits = std::bit_cast<uint32_t>(static_cast<float>(sum * 0.02));
    out[at] = static_cast<std::byte>(bits >> 16);
    out[at + 1] = static_cast<std::byte>(bits >> 24);
  }
  return out;
}

NodeHash random_hash(uint64_t seed) {
  SplitMix64 seeder(seed);
  std::array<uint64_t, 4> s;
  for (auto& word : s) word = seeder.next();
  std::array<uint64_t, 4> out;
  for (auto& word : out) {
    word = std::rotl(s[0] + s[3], 23) + s[0];
    const uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = std::rotl(s[3], 45);
  }
  return NodeHash::from_words(out[0], out[1], out[2], out[3]);
}

}  // namespace xet::testing
