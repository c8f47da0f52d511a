#include "codec/predictor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>

#include "codec/codec.h"
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

/// Little-endian words that a function makes of their index and a generator.
template <class Function>
ByteVector made_words(size_t n_bytes, uint64_t seed, Function value) {
  testing::SplitMix64 random(seed);
  return words(static_cast<uint32_t>(n_bytes / 4), [&](uint32_t i) { return value(i, random); });
}

float normal(testing::SplitMix64& random) {
  double sum = -6;
  for (int i = 0; i < 12; ++i) sum += static_cast<double>(random.next() >> 11) * 0x1p-53;
  return static_cast<float>(sum);
}

ByteVector json_like(size_t n, uint64_t seed) {
  testing::SplitMix64 random(seed);
  const ByteVector words_of_text = testing::text_bytes(4096, seed);
  const std::string_view text = as_chars(words_of_text);
  ByteVector out;
  for (uint64_t id = 0; out.size() < n; ++id) {
    const std::string line = "{\"id\":" + std::to_string(id) + ",\"score\":0." +
                             std::to_string(random.next()) + ",\"text\":\"" +
                             std::string(text.substr(random.below(4000), 60)) + "\"}\n";
    append_bytes(out, as_byte_span(line));
  }
  out.resize(n);
  return out;
}

struct DataSet {
  const char* name;
  ByteVector (*make)(size_t n, uint64_t seed);
};

/// What a compressor leaves: the payloads of LZ4 frames of text put together.
ByteVector already_compressed(size_t n, uint64_t seed) {
  Codec codec;
  ByteVector out, packed(200'000);
  while (out.size() < n) {
    const ByteVector text = testing::text_bytes(100'000, seed++);
    append_bytes(out, ByteSpan(packed).first(*codec.pack(Scheme::kLz4, text, packed)));
  }
  out.resize(n);
  return out;
}

const DataSet kDataSets[] = {
    {"random", testing::random_bytes},
    {"text", testing::text_bytes},
    {"bf16", testing::bf16_bytes},
    {"f32",
     [](size_t n, uint64_t seed) {
       return made_words(n, seed,
                         [](uint32_t, auto& random) { return std::bit_cast<uint32_t>(normal(random)); });
     }},
    {"f32 mostly zero",
     [](size_t n, uint64_t seed) {
       return made_words(n, seed, [](uint32_t, auto& random) {
         return random.below(2) == 0 ? 0 : std::bit_cast<uint32_t>(normal(random));
       });
     }},
    {"small ints",
     [](size_t n, uint64_t seed) {
       return made_words(n, seed,
                         [](uint32_t, auto& random) { return static_cast<uint32_t>(random.below(1000)); });
     }},
    {"counters",
     [](size_t n, uint64_t seed) {
       return made_words(n, seed,
                         [seed](uint32_t i, auto&) { return static_cast<uint32_t>(seed * 1000 + i); });
     }},
    {"rgba",
     [](size_t n, uint64_t seed) {
       return made_words(n, seed, [grey = uint32_t{100}](uint32_t, auto& random) mutable {
         grey = (grey + static_cast<uint32_t>(random.below(5)) - 2) & 0xFF;
         return 0xFF000000U | grey << 16 | grey << 8 | grey;
       });
     }},
    {"json", json_like},
    {"compressed", already_compressed},
    {"zeros", [](size_t n, uint64_t) { return ByteVector(n); }},
};

size_t packed_size(Codec& codec, Scheme scheme, ByteSpan chunk, ByteVector& out) {
  if (scheme == Scheme::kNone) return chunk.size();
  return codec.pack(scheme, chunk, MutableByteSpan(out).first(chunk.size() - 1)).value_or(chunk.size());
}

TEST(PredictScheme, CostsAtMostOnePercentAgainstTryingEverything) {
  Codec codec;
  ByteVector out(131072);
  for (const auto& set : kDataSets) {
    for (const size_t n : {8192U, 20'000U, 65536U, 131072U}) {
      size_t best = 0, ours = 0;
      for (uint64_t seed = 1; seed <= 20; ++seed) {
        const ByteVector chunk = set.make(n, seed);
        best += std::min({n, packed_size(codec, Scheme::kLz4, chunk, out),
                          packed_size(codec, Scheme::kBg4Lz4, chunk, out)});
        ours += packed_size(codec, predict_scheme(chunk), chunk, out);
      }
      EXPECT_LE(static_cast<double>(ours), 1.01 * static_cast<double>(best)) << set.name << " " << n;
    }
  }
}

TEST(PredictScheme, RandomDataIsNotCompressed) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    EXPECT_EQ(predict_scheme(testing::random_bytes(4096 + seed * 600, seed)), Scheme::kNone) << seed;
  }
}

TEST(PredictScheme, ARepetitionFarAwayIsNoticed) {
  for (const size_t distance : {5000U, 20'000U, 30'001U}) {
    const ByteVector once = testing::random_bytes(distance, distance);
    ByteVector chunk;
    while (chunk.size() < 65536) append_bytes(chunk, once);
    chunk.resize(65536);
    EXPECT_NE(predict_scheme(chunk), Scheme::kNone) << distance;
  }
}

TEST(PredictScheme, TakesEveryLength) {
  for (size_t n = 0; n < 6000; n = n < 2100 ? n + 1 : n + 37) {
    const ByteVector chunk = testing::text_bytes(n, 1);  // exactly n bytes: ASan sees reads behind them
    (void)predict_scheme(chunk);
    const ByteVector random = testing::random_bytes(n, 1);
    (void)predict_scheme(random);
  }
}

}  // namespace
}  // namespace xet::codec
