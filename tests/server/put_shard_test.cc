#include <gtest/gtest.h>

#include <functional>

#include "hash/blake3.h"
#include "server/sample_store.h"
#include "server/store/object_key.h"
#include "support/generators.h"
#include "support/matchers.h"
#include "support/temp_dir.h"

namespace xet::testing {
namespace {

/// A store with two xorbs and a file over both, ready to be registered rightly or wrongly.
class PutShard : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_THAT(store_.put_xorb(a_), IsOk());
    ASSERT_THAT(store_.put_xorb(b_), IsOk());
  }

  /// Registers what is left after `spoil` and expects a refusal that registers nothing.
  void expect_refused(const std::function<void(format::Shard&)>& spoil, ErrorCode code,
                      const std::string& text) {
    format::Shard shard{.files = {file_}, .xorbs = {record_of(a_), record_of(b_)}, .footer = {}};
    if (b_.hash < a_.hash) std::swap(shard.xorbs[0], shard.xorbs[1]);
    spoil(shard);
    const auto before = objects_in(dir_.path());
    EXPECT_THAT(store_.put_shard(shard.to_upload_form()), FailsWith(code, text));
    EXPECT_EQ(objects_in(dir_.path()), before);
    EXPECT_THAT(store_.file_size(file_.hash), FailsWith(ErrorCode::kNotFound));
    EXPECT_FALSE(store_.query_dedup(a_.chunk_hashes[2])->has_value());
  }

  const TempDir dir_;
  const std::unique_ptr<cas::Cas> cas_ = open_store(dir_.path());
  Store store_{*cas_};
  const SampleXorb a_ = make_xorb(10, 1);
  const SampleXorb b_ = make_xorb(10, 2);
  const std::vector<ChunkRun> runs_ = {{&a_, 2, 9}, {&b_, 0, 10}, {&a_, 0, 1}};
  const format::FileRecord file_ = make_file(runs_);
};

TEST_F(PutShard, RegistersAFileOverSeveralXorbs) {
  ASSERT_THAT(store_.put_shard(make_shard({file_}, {&a_, &b_})), IsOk());
  EXPECT_EQ(*store_.file_size(file_.hash), content_of(runs_).size());
  EXPECT_EQ(*store_.read(file_.hash), content_of(runs_));
}

TEST_F(PutShard, StoresTheUploadFormUnderItsHash) {
  const auto shard = make_shard({file_}, {&a_, &b_});
  ASSERT_THAT(store_.put_shard(shard), IsOk());
  EXPECT_EQ(read_bytes(dir_ / store::shard_key(hash::shard_hash(shard)).path), shard);
}

TEST_F(PutShard, TakesTheFormWithFooterTooAndStoresTheSame) {
  const auto upload = make_shard({file_}, {&a_, &b_});
  const auto full = format::Shard::parse(upload)->to_stored_form({.creation_s = 5, .has_tables = true});
  ASSERT_THAT(store_.put_shard(full), IsOk());
  EXPECT_EQ(*store_.read(file_.hash), content_of(runs_));
  EXPECT_EQ(read_bytes(dir_ / store::shard_key(hash::shard_hash(upload)).path), upload);
}

TEST_F(PutShard, IsIdempotent) {
  const auto shard = make_shard({file_}, {&a_, &b_});
  ASSERT_THAT(store_.put_shard(shard), IsOk());
  const auto before = objects_in(dir_.path());
  EXPECT_THAT(store_.put_shard(shard), IsOk());
  EXPECT_THAT(store_.put_shard(shard), IsOk());
  EXPECT_EQ(objects_in(dir_.path()), before);
  EXPECT_EQ(*store_.read(file_.hash), content_of(runs_));
}

TEST_F(PutShard, KeepsTheFirstWayAFileWasMade) {
  // The same content from one xorb that holds all of it.
  std::vector<ByteVector> chunks;
  for (const auto& run : runs_) {
    for (uint32_t i = run.begin; i < run.end; ++i) chunks.push_back(run.xorb->chunks[i]);
  }
  const auto whole = pack_xorb(std::move(chunks));
  const auto same = make_file({{&whole, 0, 18}});
  ASSERT_EQ(same.hash, file_.hash);
  ASSERT_THAT(store_.put_xorb(whole), IsOk());
  ASSERT_THAT(store_.put_shard(make_shard({file_}, {&a_, &b_})), IsOk());
  ASSERT_THAT(store_.put_shard(make_shard({same}, {&whole})), IsOk());
  EXPECT_EQ(store_.reconstruct(file_.hash)->terms.size(), 3U);
  EXPECT_EQ(*store_.read(file_.hash), content_of(runs_));
}

TEST_F(PutShard, TakesFilesWithoutXorbRecords) {
  EXPECT_THAT(store_.put_shard(make_shard({file_}, {})), IsOk());
  EXPECT_EQ(*store_.read(file_.hash), content_of(runs_));
}

TEST_F(PutShard, TakesXorbsWithoutFiles) {
  EXPECT_THAT(store_.put_shard(make_shard({}, {&a_})), IsOk());
  EXPECT_THAT(store_.put_shard(make_shard({}, {})), IsOk());
}

TEST_F(PutShard, TakesTheEmptyFileAndItsZeroSha256) {
  auto empty = make_file({});
  empty.sha256 = Sha256Digest{};
  EXPECT_THAT(store_.put_shard(make_shard({empty, file_}, {&a_, &b_})), IsOk());
  EXPECT_EQ(*store_.file_size(empty.hash), 0U);
}

TEST_F(PutShard, NamesTheXorbItDoesNotHave) {
  const auto c = make_xorb(4, 3);
  const auto file = make_file({{&a_, 0, 2}, {&c, 0, 4}});
  EXPECT_THAT(store_.put_shard(make_shard({file}, {})), FailsWith(ErrorCode::kNotFound, c.hash.hex()));
  EXPECT_THAT(store_.put_shard(make_shard({}, {&c})), FailsWith(ErrorCode::kNotFound, c.hash.hex()));
  ASSERT_THAT(store_.put_xorb(c), IsOk());
  EXPECT_THAT(store_.put_shard(make_shard({file}, {})), IsOk());
}

TEST_F(PutShard, RefusesAWrongFileHash) {
  expect_refused([](format::Shard& shard) { shard.files[0].hash = FileHash(random_hash(1)); },
                 ErrorCode::kCorruption, "file 0");
}

TEST_F(PutShard, RefusesTheZeroHashForAFileWithContent) {
  expect_refused([](format::Shard& shard) { shard.files[0].hash = FileHash{}; }, ErrorCode::kCorruption,
                 "file 0");
}

TEST_F(PutShard, RefusesANamedFileWithoutContent) {
  expect_refused(
      [](format::Shard& shard) {
        shard.files[0].terms.clear();
        shard.files[0].verification.clear();
      },
      ErrorCode::kCorruption, "file 0");
}

TEST_F(PutShard, RefusesMissingRangeHashes) {
  expect_refused(
      [](format::Shard& shard) {
        shard.files[0].has_verification = false;
        shard.files[0].verification.clear();
      },
      ErrorCode::kCorruption, "range hashes");
}

TEST_F(PutShard, RefusesAWrongRangeHashAndNamesTheTerm) {
  expect_refused([](format::Shard& shard) { shard.files[0].verification[1] = RangeHash(random_hash(1)); },
                 ErrorCode::kCorruption, "term 1");
}

TEST_F(PutShard, RefusesAWrongTermLength) {
  expect_refused([](format::Shard& shard) { ++shard.files[0].terms[2].unpacked_len; }, ErrorCode::kCorruption,
                 "term 2");
  expect_refused([](format::Shard& shard) { --shard.files[0].terms[0].unpacked_len; }, ErrorCode::kCorruption,
                 "term 0");
}

TEST_F(PutShard, RefusesChunksBeyondTheXorb) {
  expect_refused([](format::Shard& shard) { shard.files[0].terms[1].chunk_end = 11; }, ErrorCode::kCorruption,
                 "term 1");
  expect_refused(
      [](format::Shard& shard) {
        shard.files[0].terms[1].chunk_begin = 0xfffffff0U;
        shard.files[0].terms[1].chunk_end = 0xffffffffU;
      },
      ErrorCode::kCorruption, "4294967280");
}

TEST_F(PutShard, RefusesTermsThatNameAnotherXorb) {
  expect_refused([&](format::Shard& shard) { shard.files[0].terms[0].xorb = b_.hash; },
                 ErrorCode::kCorruption, "term 0");
}

TEST_F(PutShard, RefusesAXorbRecordThatDiffersFromTheStoredXorb) {
  expect_refused([](format::Shard& shard) { shard.xorbs[1].chunks[3].hash = ChunkHash(random_hash(1)); },
                 ErrorCode::kCorruption, "xorb record 1");
  expect_refused(
      [](format::Shard& shard) {
        shard.xorbs[0].unpacked_bytes -= shard.xorbs[0].chunks.back().len_bytes;
        shard.xorbs[0].chunks.pop_back();
      },
      ErrorCode::kCorruption, "xorb record 0");
  expect_refused(
      [](format::Shard& shard) {
        ++shard.xorbs[0].chunks[0].len_bytes;
        --shard.xorbs[0].chunks[1].len_bytes;
        ++shard.xorbs[0].chunks[1].unpacked_offset;
      },
      ErrorCode::kCorruption, "xorb record 0");
}

TEST_F(PutShard, RefusesAFileThatIsThereTwice) {
  expect_refused([](format::Shard& shard) { shard.files.push_back(shard.files[0]); }, ErrorCode::kCorruption,
                 "twice");
}

TEST_F(PutShard, RegistersAllFilesOrNone) {
  const auto good = make_file({{&b_, 3, 5}});
  expect_refused(
      [&](format::Shard& shard) {
        shard.files[0].verification[0] = RangeHash(random_hash(1));
        shard.files.insert(shard.files.begin(), good);
      },
      ErrorCode::kCorruption, "file 1");
  EXPECT_THAT(store_.file_size(good.hash), FailsWith(ErrorCode::kNotFound));
}

TEST_F(PutShard, RefusesTrailingBytesAndTruncations) {
  const auto shard = make_shard({file_}, {&a_});
  auto longer = shard;
  longer.resize(shard.size() + 48);
  EXPECT_THAT(store_.put_shard(longer), FailsWith(ErrorCode::kCorruption));
  for (size_t n = 0; n < shard.size(); n += 16) {
    EXPECT_THAT(store_.put_shard(ByteVector(shard.begin(), shard.begin() + static_cast<ptrdiff_t>(n))),
                FailsWith(ErrorCode::kCorruption))
        << n;
  }
  EXPECT_THAT(store_.put_shard(random_bytes(5000, 1)), FailsWith(ErrorCode::kCorruption));
  EXPECT_THAT(store_.file_size(file_.hash), FailsWith(ErrorCode::kNotFound));
}

TEST_F(PutShard, NeverTakesAFlippedBitForAnotherTruth) {
  const auto shard = make_shard({file_}, {&a_});
  const auto content = content_of(runs_);
  SplitMix64 random(11);
  for (int round = 0; round < 300; ++round) {
    auto bytes = shard;
    bytes[random.below(bytes.size())] ^= static_cast<std::byte>(1U << random.below(8));
    (void)store_.put_shard(
        std::move(bytes));  // unused fields may be anything; what is registered must be true
  }
  EXPECT_TRUE(!store_.file_size(file_.hash) || *store_.read(file_.hash) == content);
}

TEST_F(PutShard, RefusesAShardBeyondTheLimit) {
  EXPECT_THAT(store_.put_shard(ByteVector(97U << 20)), FailsWith(ErrorCode::kRefused));
}

}  // namespace
}  // namespace xet::testing
