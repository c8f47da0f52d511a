// Writes test files for the Python tests, which would take minutes for the larger ones. Reads lines
// "KIND SIZE SEED PATH" from standard input; KIND is random, text, weights, constant or repetitive.
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>

#include "support/generators.h"
#include "support/temp_dir.h"

namespace {

using xet::ByteVector;

ByteVector constant(size_t n, uint64_t seed) {
  return ByteVector(n, static_cast<std::byte>(seed));
}

/// A random block over and over; its length is the seed's business, from a few bytes to beyond a chunk.
ByteVector repetitive(size_t n, uint64_t seed) {
  xet::testing::SplitMix64 generator(seed);
  const size_t period = 1 + generator.below(uint64_t{1} << (4 + generator.below(16)));
  const ByteVector block = xet::testing::random_bytes(period, seed);
  ByteVector out(n);
  for (size_t at = 0; at < n; at += period)
    std::copy_n(block.begin(), std::min(period, n - at), out.begin() + static_cast<ptrdiff_t>(at));
  return out;
}

struct Kind {
  std::string_view name;
  ByteVector (*make)(size_t, uint64_t);
};
constexpr Kind kKinds[] = {{"random", xet::testing::random_bytes},
                           {"text", xet::testing::text_bytes},
                           {"weights", xet::testing::bf16_bytes},
                           {"constant", constant},
                           {"repetitive", repetitive}};

}  // namespace

int main() {
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream in(line);
    std::string name;
    size_t size = 0;
    uint64_t seed = 0;
    std::string path;
    in >> name >> size >> seed >> std::ws;
    std::getline(in, path);
    const auto* kind = std::ranges::find(kKinds, name, &Kind::name);
    if (!in || kind == std::end(kKinds)) {
      fmt::print(stderr, "generate: cannot read line: {}\n", line);
      return 2;
    }
    xet::testing::write_bytes(path, kind->make(size, seed));
  }
  return 0;
}
