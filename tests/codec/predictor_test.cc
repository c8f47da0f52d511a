#include "codec/predictor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "support/generators.h"

namespace xet::codec {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

ByteVector random0(size_t n) {
  return testing::random_bytes(n, 0);
}

/// Random data with every byte at a position that `pick` picks changed.
ByteVector changed(bool (*pick)(size_t), std::byte (*change)(std::byte)) {
  ByteVector out = random0(65536);
  for (size_t i = 0; i < out.size(); ++i) {
    if (pick(i)) out[i] = change(out[i]);
  }
  return out;
}

template <class Function>
ByteVector words(uint32_t n, Function value) {
  ByteVector out;
  for (uint32_t i = 0; i < n; ++i) append_le(out, static_cast<uint32_t>(value(i)));
  return out;
}

struct Published {
  const char* name;
  ByteVector data;
  std::array<double, 4> kl;
  double tolerance;
  Scheme choice;
};

TEST(ReferenceScheme, PublishedVectors) {
  const auto last = [](size_t i) { return i % 4 == 3; };
  const auto odd = [](size_t i) { return i % 2 == 1; };
  ByteVector steps(65536);
  for (size_t i = 0; i < steps.size(); ++i) steps[i] = static_cast<std::byte>(i * 37);
  testing::SplitMix64 seven(7);
  const ByteVector floats = words(16384, [&](uint32_t) {
    return std::bit_cast<uint32_t>(static_cast<float>(static_cast<double>(seven.next() >> 11) * 0x1p-53));
  });
  constexpr Scheme kLz4 = Scheme::kLz4, kBg4 = Scheme::kBg4Lz4;
  const Published table[] = {
      {"zeros", ByteVector(65536), {kNaN, kNaN, kNaN, kNaN}, 0, kLz4},
      {"random 131072", random0(131072), {5.91417e-05, 1.45074e-04, 9.82727e-05, 8.0324e-05}, 1e-9, kLz4},
      {"random 65536", random0(65536), {1.28077e-04, 1.79203e-04, 2.66938e-04, 9.03292e-05}, 1e-9, kLz4},
      {"random 4096", random0(4096), {0.00276738, 0.000381623, -0.000127991, 0.00108007}, 1e-8, kLz4},
      {"random 1024", random0(1024), {0.00314556, 0.0063057, kNaN, kNaN}, 1e-7, kLz4},
      {"random 256", random0(256), {kNaN, kNaN, kNaN, kNaN}, 0, kLz4},
      {"random 3", random0(3), {kNaN, kNaN, kNaN, kNaN}, 0, kLz4},
      {"counters", words(16384, [](uint32_t i) { return i; }), {0.737013, kNaN, kNaN, kNaN}, 1e-6, kBg4},
      {"multiples",
       words(32768, [](uint32_t i) { return i * 2654435761U; }),
       {-6.69e-05, -6.46e-05, -5.07e-05, -6.67e-05},
       1e-7,
       kLz4},
      {"last set",
       changed(last, [](std::byte) { return std::byte{0x3f}; }),
       {0.135788, 0.135117, 0.130497, kNaN},
       1e-6,
       kBg4},
      {"last masked",
       changed(last, [](std::byte b) { return b & std::byte{0x3f}; }),
       {0.0171738, 0.0139365, 0.0174939, kNaN},
       1e-7,
       kLz4},
      {"last set if odd",
       changed(last, [](std::byte b) { return (b & std::byte{1}) != std::byte{0} ? std::byte{0x3f} : b; }),
       {0.0394159, 0.0381369, 0.0361904, kNaN},
       1e-7,
       kBg4},
      {"last set if 7",
       changed(last, [](std::byte b) { return (b & std::byte{7}) == std::byte{7} ? std::byte{0x3f} : b; }),
       {0.00326416, 0.00247811, 0.00224958, kNaN},
       1e-8,
       kLz4},
      {"odd narrow",
       changed(
           odd,
           [](std::byte b) { return static_cast<std::byte>(0x3c + std::to_integer<int>(b & std::byte{3})); }),
       {0.128541, kNaN, 0.116609, kNaN},
       1e-6,
       kBg4},
      {"steps of 37", steps, {kNaN, kNaN, kNaN, kNaN}, 0, kLz4},
      {"floats", floats, {0.049787, 0.0547716, 0.082582, kNaN}, 1e-6, kBg4},
  };
  for (const auto& row : table) {
    const auto kl = kl_divergences(row.data);
    for (size_t g = 0; g < 4; ++g) {
      if (std::isnan(row.kl[g])) {
        EXPECT_TRUE(std::isnan(kl[g])) << row.name << " " << g << ": " << kl[g];
      } else {
        EXPECT_NEAR(kl[g], row.kl[g], row.tolerance) << row.name << " " << g;
      }
    }
    EXPECT_EQ(reference_scheme(row.data), row.choice) << row.name;
  }
}

TEST(ReferenceScheme, EmptyInputIsLz4) {
  EXPECT_EQ(reference_scheme({}), Scheme::kLz4);
}

}  // namespace
}  // namespace xet::codec
