#include "codec/crc64.h"

#include <algorithm>
#include <array>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// Polynomials over GF(2) are kept reflected: bit 63 of a word is the coefficient of x^0, so multiplying by x
// is a shift to the right.

namespace xet::codec {
namespace {

constexpr uint64_t kPolynomial = 0x9a6c9329ac4bc9b5U;

/// a * x mod P.
constexpr uint64_t times_x(uint64_t a) {
  return (a >> 1) ^ ((a & 1) != 0 ? kPolynomial : 0);
}

/// a * b mod P.
constexpr uint64_t multiply(uint64_t a, uint64_t b) {
  uint64_t product = 0;
  for (int bit = 63; bit >= 0; --bit) {
    if ((b >> bit & 1) != 0) product ^= a;
    a = times_x(a);
  }
  return product;
}

/// x^n mod P.
constexpr uint64_t power_of_x(uint64_t n) {
  uint64_t result = uint64_t{1} << 63;  // x^0
  uint64_t square = uint64_t{1} << 62;  // x^1
  for (; n != 0; n >>= 1) {
    if ((n & 1) != 0) result = multiply(result, square);
    square = multiply(square, square);
  }
  return result;
}

/// kTables[0] advances the state over one byte; kTables[k] does so over the byte and k zero bytes.
using Tables = std::array<std::array<uint64_t, 256>, 8>;
constexpr Tables make_tables() {
  Tables tables{};
  for (uint64_t byte = 0; byte < 256; ++byte) {
    uint64_t state = byte;
    for (int bit = 0; bit < 8; ++bit) state = times_x(state);
    tables[0][byte] = state;
  }
  for (size_t k = 1; k < 8; ++k) {
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint64_t previous = tables[k - 1][byte];
      tables[k][byte] = (previous >> 8) ^ tables[0][previous & 0xFF];
    }
  }
  return tables;
}
constexpr Tables kTables = make_tables();

bool always() {
  return true;
}

/// Eight bytes at a time: the tables give each byte's share of the state after all eight.
uint64_t update_sliced(uint64_t state, ByteSpan bytes) {
  for (; bytes.size() >= 8; bytes = bytes.subspan(8)) {
    uint64_t word;
    std::memcpy(&word, bytes.data(), sizeof word);
    word = from_little_endian(word) ^ state;
    state = 0;
    for (size_t k = 0; k < 8; ++k) state ^= kTables[7 - k][word >> (8 * k) & 0xFF];
  }
  for (const std::byte byte : bytes) {
    state = (state >> 8) ^ kTables[0][(state ^ std::to_integer<uint64_t>(byte)) & 0xFF];
  }
  return state;
}

#if defined(__x86_64__)

bool has_pclmul() {
  return __builtin_cpu_supports("pclmul") != 0;
}

/// Factors that carry a 128-bit block D bits forward. Its first word A counts 64 bits more than its second,
/// B, and the carry-less product of two reflected words comes out multiplied by x once more: so A needs
/// x^(D+63) and B x^(D-1).
constexpr uint64_t first_factor(uint64_t distance_bits) {
  return power_of_x(distance_bits + 63);
}
constexpr uint64_t second_factor(uint64_t distance_bits) {
  return power_of_x(distance_bits - 1);
}

[[gnu::target("pclmul,sse2")]] inline __m128i carry_forward(__m128i block, __m128i factors) {
  return _mm_xor_si128(_mm_clmulepi64_si128(block, factors, 0x00),
                       _mm_clmulepi64_si128(block, factors, 0x11));
}

__m128i load_block(ByteSpan bytes, size_t at) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes.data() + at));
}
__m128i words(uint64_t first, uint64_t second) {
  return _mm_set_epi64x(static_cast<long long>(second), static_cast<long long>(first));
}

/// Adds 64 bytes at a time to four 128-bit remainders, each of the blocks at its place modulo 64, then joins
/// them to one, which goes through the tables like 16 bytes of input.
[[gnu::target("pclmul,sse2")]] uint64_t update_pclmul(uint64_t state, ByteSpan bytes) {
  if (bytes.size() < 128) return update_sliced(state, bytes);
  constexpr uint64_t kFirst512 = first_factor(512), kSecond512 = second_factor(512);
  constexpr uint64_t kFirst128 = first_factor(128), kSecond128 = second_factor(128);
  const __m128i by_512 = words(kFirst512, kSecond512);
  const __m128i by_128 = words(kFirst128, kSecond128);
  __m128i r0 = _mm_xor_si128(load_block(bytes, 0), words(state, 0));
  __m128i r1 = load_block(bytes, 16), r2 = load_block(bytes, 32), r3 = load_block(bytes, 48);
  bytes = bytes.subspan(64);
  for (; bytes.size() >= 64; bytes = bytes.subspan(64)) {
    r0 = _mm_xor_si128(carry_forward(r0, by_512), load_block(bytes, 0));
    r1 = _mm_xor_si128(carry_forward(r1, by_512), load_block(bytes, 16));
    r2 = _mm_xor_si128(carry_forward(r2, by_512), load_block(bytes, 32));
    r3 = _mm_xor_si128(carry_forward(r3, by_512), load_block(bytes, 48));
  }
  r1 = _mm_xor_si128(carry_forward(r0, by_128), r1);
  r2 = _mm_xor_si128(carry_forward(r1, by_128), r2);
  r3 = _mm_xor_si128(carry_forward(r2, by_128), r3);
  std::array<std::byte, 16> remainder;
  _mm_storeu_si128(reinterpret_cast<__m128i*>(remainder.data()), r3);
  return update_sliced(update_sliced(0, remainder), bytes);
}

#endif

constexpr std::array kKernels = {
#if defined(__x86_64__)
    Crc64Kernel{"pclmul", has_pclmul, update_pclmul},
#endif
    Crc64Kernel{"sliced", always, update_sliced},
};

}  // namespace

std::span<const Crc64Kernel> crc64_kernels() {
  return kKernels;
}

void Crc64::update(ByteSpan bytes) {
  static const Crc64Kernel& best =
      *std::find_if(kKernels.begin(), kKernels.end(), [](const auto& kernel) { return kernel.supported(); });
  state_ = best.update(state_, bytes);
}

uint64_t crc64(ByteSpan bytes) {
  Crc64 crc;
  crc.update(bytes);
  return crc.value();
}

uint64_t crc64_combine(uint64_t first, uint64_t second, uint64_t second_len_bytes) {
  // Zero bytes after the first string multiply its checksum by x^8 each; what the all-ones start of the
  // second adds is cancelled by the all-ones end of the first. x^8 is squared instead of multiplying the
  // length by 8, which could overflow.
  uint64_t power = uint64_t{1} << 63;
  uint64_t square = power_of_x(8);
  for (uint64_t n = second_len_bytes; n != 0; n >>= 1) {
    if ((n & 1) != 0) power = multiply(power, square);
    square = multiply(square, square);
  }
  return multiply(first, power) ^ second;
}

}  // namespace xet::codec
