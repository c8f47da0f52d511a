#include "format/shard.h"

#include <gtest/gtest.h>

#include "format/samples.h"
#include "support/generators.h"
#include "support/matchers.h"

namespace xet::format {
namespace {

using testing::FailsWith;
using testing::IsOk;
using testing::sample_shard;

TEST(Shard, RoundTripsInAllForms) {
  for (uint64_t seed = 0; seed < 30; ++seed) {
    const Shard shard = sample_shard(seed % 7, seed % 5, seed);
    auto again = Shard::parse(shard.to_upload_form());
    ASSERT_THAT(again, IsOk()) << seed;
    EXPECT_EQ(*again, shard);
    for (const bool tables : {false, true}) {
      const bool has_records = seed % 7 + seed % 5 > 0;
      const ShardFooter footer{HmacKey(), seed, seed + 100, tables && has_records};
      const ByteVector stored = shard.to_stored_form(footer);
      again = Shard::parse(stored);
      ASSERT_THAT(again, IsOk()) << seed;
      EXPECT_EQ(again->footer, footer);
      EXPECT_EQ(again->files, shard.files);
      EXPECT_EQ(again->xorbs, shard.xorbs);
      EXPECT_EQ(again->serialise(), stored);
    }
  }
}

TEST(Shard, EmptyFormsHaveThePublishedSizes) {
  EXPECT_EQ(Shard().to_upload_form().size(), 144U);
  EXPECT_EQ(Shard().to_stored_form({.has_tables = true}).size(), 344U);
}

TEST(Shard, FilesWithoutVerificationOrDigestRoundTrip) {
  Shard shard = sample_shard(6, 3, 1);
  for (auto& file : shard.files) {
    file.has_verification = false;
    file.verification.clear();
    file.sha256.reset();
  }
  const auto again = Shard::parse(shard.to_upload_form());
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(*again, shard);
}

TEST(Shard, CostIsTheSizeOfTheStoredFormWithTables) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    const Shard shard = sample_shard(5, 4, seed);
    uint64_t size = kEmptyShardBytes;
    for (const auto& file : shard.files) size += shard_cost(file);
    for (const auto& xorb : shard.xorbs) size += shard_cost(xorb);
    EXPECT_EQ(shard.to_stored_form({.has_tables = true}).size(), size);
  }
}

TEST(Shard, EveryTruncationIsAnError) {
  for (const auto& bytes :
       {sample_shard(3, 2, 1).to_upload_form(), sample_shard(3, 2, 1).to_stored_form({})}) {
    for (size_t n = 0; n < bytes.size(); ++n) {
      ASSERT_THAT(Shard::parse(ByteSpan(bytes).first(n)), FailsWith(ErrorCode::kCorruption)) << n;
    }
  }
}

TEST(Shard, ChangedBytesNeverCrashAndWhatIsAcceptedCanBeWrittenAndReadBack) {
  const ByteVector bytes = sample_shard(4, 3, 2).to_stored_form({.has_tables = true});
  testing::SplitMix64 random(3);
  for (int round = 0; round < 5000; ++round) {
    ByteVector changed = bytes;
    for (uint64_t i = 0; i <= random.below(3); ++i) {
      changed[random.below(changed.size())] = static_cast<std::byte>(random.next());
    }
    const auto shard = Shard::parse(changed);
    if (!shard) continue;
    const auto again = Shard::parse(shard->serialise());
    ASSERT_THAT(again, IsOk());
    EXPECT_EQ(again->files, shard->files);
    EXPECT_EQ(again->xorbs, shard->xorbs);
  }
}

TEST(ShardFooter, ExpiryIncludesItsSecondAndRemovalComesAWeekLater) {
  const ShardFooter footer{.expiry_s = 1'000'000};
  EXPECT_TRUE(footer.is_usable(1'000'000));
  EXPECT_FALSE(footer.is_usable(1'000'001));
  EXPECT_FALSE(footer.is_removable(1'000'000 + 604'799));
  EXPECT_TRUE(footer.is_removable(1'000'000 + 604'800));
  EXPECT_TRUE(ShardFooter{}.is_usable(4'000'000'000));
  EXPECT_FALSE(ShardFooter{}.is_removable(4'000'000'000));
  EXPECT_TRUE(ShardFooter{.expiry_s = 0}.is_removable(4'000'000'000));
  EXPECT_FALSE(ShardFooter{.expiry_s = 0}.is_removable(5));
}

}  // namespace
}  // namespace xet::format
