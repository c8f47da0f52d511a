#include "codec/predictor.h"

#include <bit>
#include <cmath>
#include <cstdint>

namespace xet::codec {

std::array<double, 4> kl_divergences(ByteSpan chunk) {
  // Histograms of byte values first, bit counts after: one increment per byte, in four tables that the CPU
  // can update independently.
  std::array<std::array<uint32_t, 256>, 4> values{};
  size_t i = 0;
  for (; i + 4 <= chunk.size(); i += 4) {
    for (size_t g = 0; g < 4; ++g) ++values[g][std::to_integer<size_t>(chunk[i + g])];
  }
  for (size_t g = 0; i < chunk.size(); ++i, ++g) ++values[g][std::to_integer<size_t>(chunk[i])];

  std::array<std::array<uint32_t, 9>, 4> counts{};
  std::array<uint32_t, 4> totals{};
  std::array<uint32_t, 9> all;
  all.fill(1);
  for (size_t g = 0; g < 4; ++g) {
    for (unsigned value = 0; value < 256; ++value) {
      counts[g][static_cast<size_t>(std::popcount(value))] += values[g][value];
    }
    for (size_t c = 0; c < 9; ++c) {
      totals[g] += counts[g][c];
      all[c] += counts[g][c];
    }
  }
  const auto total =
      static_cast<double>(chunk.size());  // without the nine ones, as the genuine client has it
  std::array<double, 4> divergences{};
  for (size_t g = 0; g < 4; ++g) {
    for (size_t c = 0; c < 9; ++c) {
      const double p = static_cast<double>(counts[g][c]) / static_cast<double>(totals[g]);
      const double q = static_cast<double>(all[c]) / total;
      divergences[g] += p * std::log(p / q);  // NaN for p = 0, on purpose
    }
  }
  return divergences;
}

Scheme reference_scheme(ByteSpan chunk) {
  constexpr double kWorthGrouping = 0.02;
  double best = 0;
  for (const double divergence : kl_divergences(chunk)) {
    if (divergence > best) best = divergence;  // false for NaN
  }
  return best > kWorthGrouping ? Scheme::kBg4Lz4 : Scheme::kLz4;
}

Scheme predict_scheme(ByteSpan chunk) {
  return reference_scheme(chunk);
}

}  // namespace xet::codec
