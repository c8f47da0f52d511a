#include "codec/predictor.h"

#include <lz4.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "codec/byte_grouping.h"

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

namespace {

constexpr size_t kWindowBytes = 256;
constexpr size_t kMaxWindows = 12;
constexpr size_t kMaxSample = kWindowBytes * kMaxWindows;
/// Chunks up to this length are their own sample.
constexpr size_t kWholeSample = 2048;

/// Start of window w of n_windows, spread over the chunk and each `len` bytes long, on a multiple of 4 so
/// that byte grouping sees the positions it will see in the chunk.
size_t window_start(size_t chunk_len, size_t len, size_t w, size_t n_windows) {
  return (chunk_len - len) * w / (n_windows - 1) & ~size_t{3};
}

uint32_t load32(const std::byte* at) {
  uint32_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

/// Four bytes at every stride-th place of the chunk, to be found again elsewhere.
class Landmarks {
 public:
  static constexpr size_t kCount = 512;

  explicit Landmarks(ByteSpan chunk) : stride_(chunk.size() / kCount) {
    for (size_t i = 0; i < kCount; ++i) place(load32(chunk.data() + i * stride_));
  }
  size_t stride() const { return stride_; }
  void place(uint32_t value) { slots_[slot(value)] = value; }
  bool has(uint32_t value) const { return slots_[slot(value)] == value; }

 private:
  static size_t slot(uint32_t value) { return value * 2654435761U >> 22; }
  std::array<uint32_t, 1024> slots_{};
  size_t stride_;
};

/// Pairs of equal bytes among 64 bytes. Uniformly random bytes have 64 * 63 / 2 / 256 = 7.9 on average;
/// anything with an alphabet, a skewed position or an order to it has several times that.
unsigned equal_pairs(const std::byte* bytes) {
  std::array<uint8_t, 256> seen{};
  unsigned pairs = 0;
  for (size_t i = 0; i < 64; ++i) pairs += seen[std::to_integer<size_t>(bytes[i])]++;
  return pairs;
}

/// True when compression cannot pay: bytes are uniform in small neighbourhoods, and nothing in the chunk
/// comes back far from where it was. In each of eight windows as long as the landmarks' distance, a place
/// that repeats another part of the chunk must meet a landmark, whatever the distance of the two.
bool looks_random(ByteSpan chunk) {
  constexpr size_t kWindows = 8;
  constexpr unsigned kMostPairs = 110;  // random: 63 with a standard deviation of 8
  const Landmarks landmarks(chunk);
  const size_t stride = landmarks.stride();
  const size_t window = std::max<size_t>(stride + 3, 64);
  unsigned pairs = 0;
  for (size_t w = 0; w < kWindows; ++w) {
    const size_t start = window_start(chunk.size(), window, w, kWindows);
    const std::byte* at = chunk.data() + start;
    pairs += equal_pairs(at);
    unsigned n_found = 0;
    for (size_t i = 0; i < stride; ++i) n_found += landmarks.has(load32(at + i)) ? 1 : 0;
    // One of these places is a landmark itself, and that is no repetition.
    const size_t to_landmark = (stride - start % stride) % stride;
    if (n_found > (landmarks.has(load32(at + to_landmark)) ? 1U : 0U)) return false;
  }
  return pairs <= kMostPairs;
}

int lz4_size(ByteSpan in) {
  std::array<char, kMaxSample + kMaxSample / 128 + 64> out;
  return LZ4_compress_default(reinterpret_cast<const char*>(in.data()), out.data(),
                              static_cast<int>(in.size()), static_cast<int>(out.size()));
}

}  // namespace

Scheme predict_scheme(ByteSpan chunk) {
  std::array<std::byte, kMaxSample> buffer;
  ByteSpan sample = chunk;
  if (chunk.size() > kWholeSample) {
    if (looks_random(chunk)) return Scheme::kNone;
    const size_t n_windows = chunk.size() >= 32 * 1024 ? kMaxWindows : 8;
    for (size_t w = 0; w < n_windows; ++w) {
      const ByteSpan window =
          chunk.subspan(window_start(chunk.size(), kWindowBytes, w, n_windows), kWindowBytes);
      std::copy(window.begin(), window.end(), buffer.begin() + static_cast<ptrdiff_t>(w * kWindowBytes));
    }
    sample = ByteSpan(buffer).first(n_windows * kWindowBytes);
  }
  std::array<std::byte, kMaxSample> grouped;
  const MutableByteSpan regular = MutableByteSpan(grouped).first(sample.size());
  group_bytes(sample, regular);
  return lz4_size(regular) < lz4_size(sample) ? Scheme::kBg4Lz4 : Scheme::kLz4;
}

}  // namespace xet::codec
