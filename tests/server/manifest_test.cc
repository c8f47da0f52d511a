#include "server/core/manifest.h"

#include <gtest/gtest.h>

#include "support/generators.h"
#include "support/matchers.h"

namespace xet::testing {
namespace {

using core::Manifest;
using core::ManifestBuilder;

constexpr uint32_t kTermLen = 100;

store::XorbRow xorb(uint64_t id) {
  return {.id = id, .hash = XorbHash(random_hash(id)), .generation = static_cast<uint32_t>(id % 3)};
}

ByteVector manifest_of(uint32_t n_terms) {
  ManifestBuilder builder;
  for (uint32_t i = 0; i < n_terms; ++i) {
    builder.add(xorb(1 + i % 7), i, i + 2, {.begin = 10 * i, .end = 10 * i + 5}, kTermLen);
  }
  return builder.finish();
}

/// Reads whatever a manifest lets itself be read as.
void read_all(const Manifest& manifest) {
  if (manifest.file_size() == 0) return;
  const auto terms = manifest.terms_covering(manifest.file_size() / 2, manifest.file_size());
  if (terms) (void)manifest.xorb(terms->front().xorb);
}

TEST(Manifest, GivesBackItsTerms) {
  for (const uint32_t n : {1U, 2U, 1023U, 1024U, 1025U, 5000U}) {
    const auto manifest = Manifest::open(manifest_of(n));
    ASSERT_THAT(manifest, IsOk());
    EXPECT_EQ(manifest->n_terms(), n);
    EXPECT_EQ(manifest->file_size(), uint64_t{n} * kTermLen);
    const auto terms = manifest->terms_covering(0, manifest->file_size());
    ASSERT_THAT(terms, IsOk());
    ASSERT_EQ(terms->size(), n);
    for (uint32_t i = 0; i < n; ++i) {
      const auto& term = (*terms)[i];
      EXPECT_EQ(term, (core::ManifestTerm{.file_begin = uint64_t{i} * kTermLen,
                                          .unpacked_len = kTermLen,
                                          .xorb = i % 7,
                                          .chunk_begin = i,
                                          .chunk_end = i + 2,
                                          .packed = {.begin = 10 * i, .end = 10 * i + 5}}));
    }
    const auto row = xorb(1);
    EXPECT_EQ(*manifest->xorb(0), (core::ManifestXorb{row.hash, row.id, row.generation}));
  }
}

TEST(Manifest, FindsTheTermsOfARange) {
  const auto manifest = Manifest::open(manifest_of(3000));
  ASSERT_THAT(manifest, IsOk());
  SplitMix64 random(1);
  for (int round = 0; round < 500; ++round) {
    const uint64_t begin = random.below(manifest->file_size());
    const uint64_t end =
        std::min(manifest->file_size(), begin + 1 + random.below(round % 2 == 0 ? 300 : 200'000));
    const auto terms = manifest->terms_covering(begin, end);
    ASSERT_THAT(terms, IsOk());
    EXPECT_EQ(terms->front().file_begin, begin / kTermLen * kTermLen);
    EXPECT_EQ(terms->back().file_begin, (end - 1) / kTermLen * kTermLen);
    EXPECT_EQ(terms->size(), (end - 1) / kTermLen - begin / kTermLen + 1);
  }
}

TEST(Manifest, RefusesWhatIsTruncatedOrForeign) {
  const auto bytes = manifest_of(20);
  for (size_t n = 0; n < bytes.size(); ++n) {
    EXPECT_THAT(Manifest::open(ByteVector(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(n))),
                FailsWith(ErrorCode::kCorruption));
  }
  auto longer = bytes;
  longer.push_back(std::byte{0});
  EXPECT_THAT(Manifest::open(longer), FailsWith(ErrorCode::kCorruption));
  EXPECT_THAT(Manifest::open(random_bytes(1000, 1)), FailsWith(ErrorCode::kCorruption));
}

TEST(Manifest, SurvivesFlippedBits) {
  const auto bytes = manifest_of(40);
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (const unsigned bit : {0U, 6U, 7U}) {
      auto spoilt = bytes;
      spoilt[i] ^= static_cast<std::byte>(1U << bit);
      const auto manifest = Manifest::open(std::move(spoilt));
      if (manifest) read_all(*manifest);
    }
  }
}

TEST(Manifest, RefusesTermsOutOfOrder) {
  auto bytes = manifest_of(4);
  const size_t terms_at = bytes.size() - size_t{4} * 28;
  bytes[terms_at + 28] = std::byte{255};  // the second one begins behind the third
  const auto manifest = Manifest::open(std::move(bytes));
  ASSERT_THAT(manifest, IsOk());
  EXPECT_THAT(manifest->terms_covering(0, 400), FailsWith(ErrorCode::kCorruption));
}

TEST(Manifest, RefusesAXorbIndexBeyondItsTable) {
  auto bytes = manifest_of(4);
  bytes[bytes.size() - 28 + 8] = std::byte{4};
  const auto manifest = Manifest::open(std::move(bytes));
  ASSERT_THAT(manifest, IsOk());
  EXPECT_THAT(manifest->terms_covering(350, 351), FailsWith(ErrorCode::kCorruption));
}

}  // namespace
}  // namespace xet::testing
