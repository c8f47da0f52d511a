#include "format/shard_stream.h"

#include <gtest/gtest.h>

#include "format/samples.h"
#include "support/generators.h"
#include "support/matchers.h"

namespace xet::format {
namespace {

using testing::FailsWith;
using testing::IsOk;
using testing::sample_shard;

/// Feeds `bytes` in pieces of random length up to `max_piece`; what was reported.
Result<Shard> read_in_pieces(ByteSpan bytes, size_t max_piece, uint64_t budget) {
  Shard out;
  ShardStreamParser parser(
      budget,
      [&](FileRecord file) -> Status {
        out.files.push_back(std::move(file));
        return {};
      },
      [&](XorbRecord xorb) -> Status {
        out.xorbs.push_back(std::move(xorb));
        return {};
      });
  testing::SplitMix64 random(max_piece);
  while (!bytes.empty()) {
    const size_t n = std::min<size_t>(bytes.size(), 1 + random.below(max_piece));
    const ByteVector piece(bytes.begin(),
                           bytes.begin() + static_cast<ptrdiff_t>(n));  // ASan sees stale views
    XET_TRY_STATUS(parser.feed(piece));
    bytes = bytes.subspan(n);
  }
  XET_TRY_STATUS(parser.finish());
  return out;
}

TEST(ShardStreamParser, ReportsTheSameForAnySplitOfAnyForm) {
  for (const auto& [n_files, n_xorbs] : {std::pair{0, 0}, {1, 0}, {0, 1}, {30, 12}}) {
    const Shard shard = sample_shard(static_cast<size_t>(n_files), static_cast<size_t>(n_xorbs), 1);
    for (const auto& bytes : {shard.to_upload_form(), shard.to_stored_form({.has_tables = true})}) {
      for (const size_t max_piece : {1UL, 7UL, 48UL, 49UL, 1000UL, 1UL << 30}) {
        const auto found = read_in_pieces(bytes, max_piece, bytes.size());
        ASSERT_THAT(found, IsOk()) << max_piece;
        EXPECT_EQ(*found, shard);
      }
    }
  }
}

TEST(ShardStreamParser, AnnouncedRecordsMustFitTheBudget) {
  const Shard shard = sample_shard(5, 3, 2);
  const ByteVector bytes = shard.to_upload_form();
  EXPECT_THAT(read_in_pieces(bytes, 100, bytes.size()), IsOk());
  EXPECT_THAT(read_in_pieces(bytes, 100, bytes.size() - 1), FailsWith(ErrorCode::kCorruption));
  ByteVector bomb = bytes;
  testing::poke(bomb, 48 + 36, 0xFFFFFFFF);  // segments of the first file
  EXPECT_THAT(read_in_pieces(bomb, 100, bytes.size()), FailsWith(ErrorCode::kCorruption, "at offset 48"));
}

TEST(ShardStreamParser, OfEqualFilesTheFirstIsReported) {
  Shard shard = sample_shard(2, 1, 3);
  shard.files[1].hash = shard.files[0].hash;
  const auto found = read_in_pieces(shard.to_upload_form(), 50, 1 << 20);
  ASSERT_THAT(found, IsOk());
  EXPECT_EQ(found->files, std::vector{shard.files[0]});
}

TEST(ShardStreamParser, VerificationIsForAllFilesOrNone) {
  Shard shard = sample_shard(3, 2, 4);
  shard.files[1].has_verification = false;
  shard.files[1].verification.clear();
  EXPECT_THAT(read_in_pieces(shard.to_upload_form(), 50, 1 << 20),
              FailsWith(ErrorCode::kCorruption, "without verification"));
  for (auto& file : shard.files) {
    file.has_verification = false;
    file.verification.clear();
  }
  EXPECT_THAT(read_in_pieces(shard.to_upload_form(), 50, 1 << 20), IsOk());
}

TEST(ShardStreamParser, EveryTruncationIsAnError) {
  const ByteVector bytes = sample_shard(3, 2, 5).to_upload_form();
  for (size_t n = 0; n < bytes.size(); ++n) {
    EXPECT_THAT(read_in_pieces(ByteSpan(bytes).first(n), 64, 1 << 20),
                FailsWith(ErrorCode::kCorruption, "truncated"))
        << n;
  }
}

TEST(ShardStreamParser, PassesOnTheErrorOfACallback) {
  const ByteVector bytes = sample_shard(1, 1, 6).to_upload_form();
  ShardStreamParser parser(
      bytes.size(), [](const FileRecord&) -> Status { return fail(ErrorCode::kNotFound, "no such xorb"); },
      {});
  EXPECT_THAT(parser.feed(bytes), FailsWith(ErrorCode::kNotFound));
}

TEST(ShardStreamParser, AgreesWithTheWholeParserOnChangedBytes) {
  const ByteVector bytes = sample_shard(4, 3, 7).to_upload_form();
  testing::SplitMix64 random(8);
  for (int round = 0; round < 3000; ++round) {
    ByteVector changed = bytes;
    changed[random.below(changed.size())] = static_cast<std::byte>(random.next());
    const auto whole = Shard::parse(changed);
    const auto pieces = read_in_pieces(changed, 500, changed.size());
    // The streaming parser demands more (all files alike), and ignores what follows the xorb section.
    if (whole && pieces) {
      EXPECT_EQ(whole->xorbs, pieces->xorbs);
    }
    if (!pieces) {
      EXPECT_THAT(pieces, FailsWith(ErrorCode::kCorruption));
    }
  }
}

}  // namespace
}  // namespace xet::format
