#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "xet/hash.h"

namespace xet::testing {

/// splitmix64, the generator of the published test data. State starts at the seed.
class SplitMix64 {
 public:
  explicit SplitMix64(uint64_t seed) : state_(seed) {}
  uint64_t next();
  /// Uniform enough for tests: next() % n.
  uint64_t below(uint64_t n) { return next() % n; }

 private:
  uint64_t state_;
};

/// The first n bytes of the little-endian splitmix64 sequence ("random data (n, seed)").
ByteVector random_bytes(size_t n, uint64_t seed);
/// Words of a small vocabulary: compresses well with LZ4.
ByteVector text_bytes(size_t n, uint64_t seed);
/// Little-endian bfloat16 numbers around zero, as model weights are: compresses with byte grouping.
ByteVector bf16_bytes(size_t n, uint64_t seed);
/// The hash that published Merkle vectors call random(seed): xoshiro256++ seeded by splitmix64.
NodeHash random_hash(uint64_t seed);

}  // namespace xet::testing
