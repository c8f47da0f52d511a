#include "codec/byte_grouping.h"

#include <algorithm>
#include <array>

#include "base/check.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace xet::codec {
namespace {

/// Start of group g in the grouped form of n bytes: the first n mod 4 groups have one byte more.
size_t group_start(size_t n, size_t g) {
  return g * (n / 4) + std::min(g, n % 4);
}

struct Groups {
  explicit Groups(size_t n) {
    for (size_t g = 0; g < 4; ++g) start[g] = group_start(n, g);
  }
  std::array<size_t, 4> start;
};

/// The part from quadruple `from` on, and the bytes behind the last whole quadruple.
void group_from(ByteSpan in, MutableByteSpan out, size_t from) {
  const Groups groups(in.size());
  const std::byte* source = in.data();
  std::byte* const g0 = out.data() + groups.start[0];
  std::byte* const g1 = out.data() + groups.start[1];
  std::byte* const g2 = out.data() + groups.start[2];
  std::byte* const g3 = out.data() + groups.start[3];
  const size_t n_quads = in.size() / 4;
  for (size_t i = from; i < n_quads; ++i) {
    g0[i] = source[4 * i];
    g1[i] = source[4 * i + 1];
    g2[i] = source[4 * i + 2];
    g3[i] = source[4 * i + 3];
  }
  for (size_t g = 0; g < in.size() % 4; ++g) out[groups.start[g] + n_quads] = source[4 * n_quads + g];
}

void regroup_from(ByteSpan in, MutableByteSpan out, size_t from) {
  const Groups groups(in.size());
  std::byte* target = out.data();
  const std::byte* const g0 = in.data() + groups.start[0];
  const std::byte* const g1 = in.data() + groups.start[1];
  const std::byte* const g2 = in.data() + groups.start[2];
  const std::byte* const g3 = in.data() + groups.start[3];
  const size_t n_quads = in.size() / 4;
  for (size_t i = from; i < n_quads; ++i) {
    target[4 * i] = g0[i];
    target[4 * i + 1] = g1[i];
    target[4 * i + 2] = g2[i];
    target[4 * i + 3] = g3[i];
  }
  for (size_t g = 0; g < in.size() % 4; ++g) target[4 * n_quads + g] = in[groups.start[g] + n_quads];
}

void group_portable(ByteSpan in, MutableByteSpan out) {
  group_from(in, out, 0);
}
void regroup_portable(ByteSpan in, MutableByteSpan out) {
  regroup_from(in, out, 0);
}

#if defined(__x86_64__)

// Compilers vectorise the portable loops for the baseline as well as SSE2 by hand would be, so only wider
// vectors are written out.
//
// Grouping is two rounds of "even bytes, odd bytes": after the first, a vector holds bytes 0 and 2 of each
// quadruple or bytes 1 and 3, after the second one byte of each. Packing words to bytes with the other byte
// masked or shifted out does one half round. Packing and unpacking stay inside each 16-byte half, which
// leaves the parts of a group (or the quadruples) in another order; a permutation at the end puts that right.

[[gnu::target("avx2")]] inline __m256i even_avx2(__m256i a, __m256i b) {
  const __m256i low = _mm256_set1_epi16(0xFF);
  return _mm256_packus_epi16(_mm256_and_si256(a, low), _mm256_and_si256(b, low));
}
[[gnu::target("avx2")]] inline __m256i odd_avx2(__m256i a, __m256i b) {
  return _mm256_packus_epi16(_mm256_srli_epi16(a, 8), _mm256_srli_epi16(b, 8));
}
[[gnu::target("avx2")]] inline __m256i load_avx2(const std::byte* at) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
}
[[gnu::target("avx2")]] inline void store_avx2(std::byte* at, __m256i value) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(at), value);
}

[[gnu::target("avx2")]] void group_avx2(ByteSpan in, MutableByteSpan out) {
  const Groups groups(in.size());
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  const std::byte* source = in.data();
  std::byte* target = out.data();
  size_t quad = 0;
  for (; quad + 32 <= in.size() / 4; quad += 32) {
    const __m256i a = load_avx2(source + 4 * quad), b = load_avx2(source + 4 * quad + 32);
    const __m256i c = load_avx2(source + 4 * quad + 64), d = load_avx2(source + 4 * quad + 96);
    const __m256i even_ab = even_avx2(a, b), even_cd = even_avx2(c, d);
    const __m256i odd_ab = odd_avx2(a, b), odd_cd = odd_avx2(c, d);
    const __m256i g0 = _mm256_permutevar8x32_epi32(even_avx2(even_ab, even_cd), order);
    const __m256i g1 = _mm256_permutevar8x32_epi32(even_avx2(odd_ab, odd_cd), order);
    const __m256i g2 = _mm256_permutevar8x32_epi32(odd_avx2(even_ab, even_cd), order);
    const __m256i g3 = _mm256_permutevar8x32_epi32(odd_avx2(odd_ab, odd_cd), order);
    store_avx2(target + groups.start[0] + quad, g0);
    store_avx2(target + groups.start[1] + quad, g1);
    store_avx2(target + groups.start[2] + quad, g2);
    store_avx2(target + groups.start[3] + quad, g3);
  }
  group_from(in, out, quad);
}

[[gnu::target("avx2")]] void regroup_avx2(ByteSpan in, MutableByteSpan out) {
  const Groups groups(in.size());
  const std::byte* source = in.data();
  std::byte* target = out.data();
  size_t quad = 0;
  for (; quad + 32 <= in.size() / 4; quad += 32) {
    const __m256i a = load_avx2(source + groups.start[0] + quad);
    const __m256i b = load_avx2(source + groups.start[1] + quad);
    const __m256i c = load_avx2(source + groups.start[2] + quad);
    const __m256i d = load_avx2(source + groups.start[3] + quad);
    const __m256i ab_low = _mm256_unpacklo_epi8(a, b), ab_high = _mm256_unpackhi_epi8(a, b);
    const __m256i cd_low = _mm256_unpacklo_epi8(c, d), cd_high = _mm256_unpackhi_epi8(c, d);
    const __m256i q0 = _mm256_unpacklo_epi16(ab_low, cd_low), q1 = _mm256_unpackhi_epi16(ab_low, cd_low);
    const __m256i q2 = _mm256_unpacklo_epi16(ab_high, cd_high), q3 = _mm256_unpackhi_epi16(ab_high, cd_high);
    store_avx2(target + 4 * quad, _mm256_permute2x128_si256(q0, q1, 0x20));
    store_avx2(target + 4 * quad + 32, _mm256_permute2x128_si256(q2, q3, 0x20));
    store_avx2(target + 4 * quad + 64, _mm256_permute2x128_si256(q0, q1, 0x31));
    store_avx2(target + 4 * quad + 96, _mm256_permute2x128_si256(q2, q3, 0x31));
  }
  regroup_from(in, out, quad);
}

bool has_avx2() {
  return __builtin_cpu_supports("avx2") != 0;
}
#endif

bool always() {
  return true;
}

constexpr std::array kKernels = {
#if defined(__x86_64__)
    ByteGroupingKernel{"avx2", has_avx2, group_avx2, regroup_avx2},
#endif
    ByteGroupingKernel{"portable", always, group_portable, regroup_portable},
};

const ByteGroupingKernel& best_kernel() {
  static const ByteGroupingKernel& best =
      *std::find_if(kKernels.begin(), kKernels.end(), [](const auto& kernel) { return kernel.supported(); });
  return best;
}

}  // namespace

std::span<const ByteGroupingKernel> byte_grouping_kernels() {
  return kKernels;
}

void group_bytes(ByteSpan in, MutableByteSpan out) {
  XET_CHECK(in.size() == out.size());
  best_kernel().group(in, out);
}

void regroup_bytes(ByteSpan in, MutableByteSpan out) {
  XET_CHECK(in.size() == out.size());
  best_kernel().regroup(in, out);
}

}  // namespace xet::codec
