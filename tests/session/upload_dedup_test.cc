#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "chunk/chunker.h"
#include "session/pipelines.h"
#include "support/generators.h"
#include "support/matchers.h"
#include "support/temp_dir.h"

namespace xet {
namespace {

using namespace testing;
using ::testing::SizeIs;

ByteVector joined(std::initializer_list<ByteSpan> parts) {
  ByteVector out;
  for (const auto& part : parts) append_bytes(out, part);
  return out;
}

void expect_content(const FakeCas& cas, const Result<FileReport>& file, ByteSpan content) {
  ASSERT_THAT(file, IsOk());
  EXPECT_EQ(file->hash, hash_of(content));
  EXPECT_EQ(cas.content(file->hash), ByteVector(content.begin(), content.end()));
}

TEST(UploadDedup, EqualFilesInOneSessionAreStoredOnce) {
  const auto cas = std::make_shared<FakeCas>();
  const auto content = random_bytes(3 * kMiB, 1);
  const auto small = random_bytes(5000, 2);
  const auto report = upload(client_of(cas), {content, small, content, small, content});
  ASSERT_THAT(report, IsOk());
  expect_sums_hold(*report);
  EXPECT_EQ(report->metrics.new_bytes, content.size() + small.size());
  EXPECT_EQ(report->metrics.deduped_bytes, 2 * content.size() + small.size());
  EXPECT_EQ(report->metrics.xorb_bytes_uploaded, cas->stored_bytes());
  EXPECT_THAT(cas->xorbs(), SizeIs(1));
  for (const size_t i : {0, 2, 4}) expect_content(*cas, report->files[i], content);
  for (const size_t i : {1, 3}) expect_content(*cas, report->files[i], small);
  EXPECT_EQ(report->files[2]->metrics.new_bytes, 0U);
}

TEST(UploadDedup, AnEditedCopyCostsOnlyTheChunksAroundTheEdit) {
  const auto cas = std::make_shared<FakeCas>();
  const auto original = random_bytes(20 * kMiB, 1);
  const auto inserted = random_bytes(1000, 2);
  const auto edited =
      joined({ByteSpan(original).first(7 * kMiB), inserted, ByteSpan(original).subspan(7 * kMiB)});
  const auto report = upload(client_of(cas), {original, edited});
  ASSERT_THAT(report, IsOk());
  expect_sums_hold(*report);
  expect_content(*cas, report->files[1], edited);
  EXPECT_LT(report->files[1]->metrics.new_bytes, 4U * chunk::kMaxChunk);
}

TEST(UploadDedup, XorbsFillUpInTheOrderOfTheInput) {
  const auto cas = std::make_shared<FakeCas>();
  const auto content = random_bytes(40 * kMiB, 1);
  const auto report = upload_one(client_of(cas), content);  // xorbs of 16 MiB under the smallest cap
  EXPECT_THAT(cas->xorbs(), SizeIs(3));
  const auto record = cas->file(report.hash);
  ASSERT_THAT(record->terms, SizeIs(3));
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(record->terms[i].chunk_begin, 0U);
    EXPECT_LE(cas->packed(record->terms[i].xorb).size(), 16 * kMiB);
  }
  EXPECT_EQ(cas->content(report.hash), content);
}

TEST(UploadDedup, ALaterSessionFindsTheChunksThroughTheShardCache) {
  const TempDir dir;
  const auto cas = std::make_shared<FakeCas>(FakeCas::Options{.shard_places = dir.path()});
  const auto content = random_bytes(20 * kMiB, 1);
  upload_one(client_of(cas), content);
  EXPECT_THAT(names_in(dir / "cache"), SizeIs(1));
  EXPECT_THAT(names_in(dir / "staging"), SizeIs(0));

  const auto tail = random_bytes(kMiB, 2);
  const auto longer = joined({content, tail});
  const auto again = upload_one(client_of(cas), longer);
  EXPECT_EQ(cas->content(again.hash), longer);
  EXPECT_LT(again.metrics.new_bytes, tail.size() + 2 * chunk::kMaxChunk);
  EXPECT_EQ(again.metrics.deduped_bytes_by_global_dedup, 0U);
}

TEST(UploadDedup, TotallyKnownFilesNeedNoXorb) {
  const TempDir dir;
  const auto cas = std::make_shared<FakeCas>(FakeCas::Options{.shard_places = dir.path()});
  const auto content = random_bytes(2 * kMiB, 1);
  upload_one(client_of(cas), content);
  const auto again = upload_one(client_of(cas), content);
  EXPECT_EQ(again.metrics.new_bytes, 0U);
  EXPECT_EQ(cas->calls(FakeCas::Op::kPutXorb), 1U);
  EXPECT_EQ(cas->calls(FakeCas::Op::kPutShard), 2U);
}

// --- Answers of the store

class DedupAnswers : public ::testing::TestWithParam<FakeCas::Dedup> {
 protected:
  std::shared_ptr<FakeCas> cas(size_t threads = 2) {
    return std::make_shared<FakeCas>(FakeCas::Options{.threads = threads, .dedup = GetParam()});
  }
  FakeClock clock_;
};
INSTANTIATE_TEST_SUITE_P(PlainAndKeyed, DedupAnswers,
                         ::testing::Values(FakeCas::Dedup::kPlain, FakeCas::Dedup::kKeyed),
                         [](const auto& param) {
                           return param.param == FakeCas::Dedup::kPlain ? "Plain" : "Keyed";
                         });

TEST_P(DedupAnswers, AtOnceTheyAreUsedBeforeAnythingIsPacked) {
  const auto cas = this->cas(0);
  const auto content = random_bytes(3 * kMiB, 1);
  upload_one(client_of(cas), content);
  const auto tail = random_bytes(200'000, 2);
  const auto longer = joined({content, tail});
  const auto again = upload_one(client_of(cas), longer);
  EXPECT_EQ(cas->content(again.hash), longer);
  EXPECT_LT(again.metrics.new_bytes, tail.size() + 2 * chunk::kMaxChunk);
  EXPECT_EQ(again.metrics.deduped_bytes_by_global_dedup, again.metrics.deduped_bytes);
  EXPECT_EQ(cas->queries().front(), cas->queries().at(cas->queries().size() / 2));
}

/// A session in which `contents` are packed before the store answers its queries.
Result<UploadReport> upload_with_late_answers(const std::shared_ptr<FakeCas>& cas, const Clock& clock,
                                              const std::vector<ByteVector>& contents) {
  cas->hold(FakeCas::Op::kQueryDedup);
  UploadSession session(client_of(cas, 2, 64 * kMiB, clock), {});
  for (size_t i = 0; i < contents.size(); ++i) session.add_bytes(std::to_string(i), contents[i]);
  auto report = std::async(std::launch::async, [&] { return session.commit(); });
  // The whole is smaller than a block, so that a query that is there has all of it read behind it.
  EXPECT_TRUE(cas->wait_for_held(FakeCas::Op::kQueryDedup, 1));
  cas->release(FakeCas::Op::kQueryDedup);
  return report.get();
}

TEST_P(DedupAnswers, LateOnesTakePackedChunksOutAgain) {
  const auto cas = this->cas();
  const auto known = random_bytes(kMiB - 300'000, 1);
  upload_one(client_of(cas), known);
  const size_t stored = cas->stored_bytes();
  const auto head = random_bytes(150'000, 2);
  const auto tail = random_bytes(100'000, 3);
  const auto whole = joined({known, tail});
  const auto report = upload_with_late_answers(cas, clock_, {whole, head});
  ASSERT_THAT(report, IsOk());
  expect_sums_hold(*report);
  expect_content(*cas, report->files[0], whole);
  expect_content(*cas, report->files[1], head);
  const auto& metrics = report->files[0]->metrics;
  EXPECT_LT(metrics.new_bytes, tail.size() + 2 * chunk::kMaxChunk);
  EXPECT_EQ(metrics.deduped_bytes_by_global_dedup, metrics.deduped_bytes);
  EXPECT_EQ(cas->stored_bytes() - stored, report->metrics.compressed_bytes);
}

TEST_P(DedupAnswers, LateOnesServeFilesThatShareTheXorb) {
  const auto cas = this->cas();
  const auto known = random_bytes(500'000, 1);
  upload_one(client_of(cas), known);
  const auto other = random_bytes(100'000, 2);
  // the second file refers to chunks that the first put into the xorb, and has some of its own
  const std::vector<ByteVector> contents{joined({known, other}), joined({known}), joined({other, known}),
                                         other};
  const auto report = upload_with_late_answers(cas, clock_, contents);
  ASSERT_THAT(report, IsOk());
  expect_sums_hold(*report);
  for (size_t i = 0; i < contents.size(); ++i) expect_content(*cas, report->files[i], contents[i]);
  EXPECT_LT(report->metrics.new_bytes, other.size() + 4 * chunk::kMaxChunk);
}

TEST_P(DedupAnswers, AFileGoesOnAfterItsChunksWereTakenOut) {
  const auto cas = this->cas();
  const auto known = random_bytes(3 * kMiB, 1);
  upload_one(client_of(cas), known);
  cas->hold(FakeCas::Op::kQueryDedup);
  UploadSession session(client_of(cas, 2, 64 * kMiB, clock_), {});
  const auto rest = random_bytes(30 * kMiB, 2);  // the xorb of 16 MiB is closed in the middle of the file
  auto pushed = session.add_stream("stream");
  ASSERT_THAT(pushed.write(known), IsOk());
  ASSERT_THAT(pushed.write(ByteSpan(rest).first(6 * kMiB)), IsOk());
  ASSERT_TRUE(cas->wait_for_held(FakeCas::Op::kQueryDedup, 1));
  cas->release(FakeCas::Op::kQueryDedup);
  ASSERT_THAT(pushed.write(ByteSpan(rest).subspan(6 * kMiB)), IsOk());
  ASSERT_THAT(pushed.write(known), IsOk());
  ASSERT_THAT(pushed.finish(), IsOk());
  const auto report = session.commit();
  ASSERT_THAT(report, IsOk());
  expect_sums_hold(*report);
  expect_content(*cas, report->files[0], joined({known, rest, known}));
  EXPECT_LT(report->metrics.new_bytes, rest.size() + 4 * chunk::kMaxChunk);
}

TEST_P(DedupAnswers, AllOfTheXorbMayTurnOutToBeKnown) {
  const auto cas = this->cas();
  const auto known = random_bytes(700'000, 1);
  upload_one(client_of(cas), known);
  const auto report = upload_with_late_answers(cas, clock_, {known});
  ASSERT_THAT(report, IsOk());
  expect_sums_hold(*report);
  EXPECT_EQ(report->metrics.new_bytes, 0U);
  EXPECT_EQ(report->metrics.compressed_bytes, 0U);
  EXPECT_THAT(cas->xorbs(), SizeIs(1));
  EXPECT_EQ(cas->calls(FakeCas::Op::kPutXorb), 1U);
}

/// Chunks of `known` in turn with three at a time of `other`: a reference to each would shatter the file.
ByteVector interleaved(ByteSpan known, ByteSpan other) {
  ByteVector out;
  const auto theirs = chunk::chunk_lengths(other);
  auto next = theirs.begin();
  for (const uint32_t length : chunk::chunk_lengths(known)) {
    append_bytes(out, known.first(length));
    known = known.subspan(length);
    for (int i = 0; i < 3 && next != theirs.end(); ++i, ++next) {
      append_bytes(out, other.first(*next));
      other = other.subspan(*next);
    }
  }
  return out;
}

TEST_P(DedupAnswers, LateOnesDoNotShatterAFile) {
  const auto known = random_bytes(15 * kMiB, 1);
  const auto mixed = interleaved(known, random_bytes(30 * kMiB, 2));
  const auto terms_after = [&](bool late) {
    const auto cas = this->cas(late ? 2 : 0);
    const auto client = client_of(cas, 2, 256 * kMiB);  // all in one xorb
    upload_one(client, known);
    if (late) cas->hold(FakeCas::Op::kQueryDedup);
    std::atomic<uint64_t> done{0};
    UploadOptions options;
    options.session.progress = [&](const Progress& progress) { done = progress.done_bytes; };
    options.session.progress_interval = std::chrono::milliseconds(1);
    UploadSession session(client, options);
    session.add_bytes("mixed", mixed);
    while (late && done < mixed.size()) std::this_thread::yield();
    cas->release(FakeCas::Op::kQueryDedup);
    const auto report = session.commit();
    EXPECT_THAT(report, IsOk());
    expect_sums_hold(*report);
    expect_content(*cas, report->files[0], mixed);
    EXPECT_GT(report->metrics.defrag_prevented_dedup_chunks, 0U);
    EXPECT_GT(report->metrics.deduped_chunks_by_global_dedup, 0U);
    return cas->file(report->files[0]->hash)->terms.size();
  };
  EXPECT_NEAR(static_cast<double>(terms_after(true)), static_cast<double>(terms_after(false)), 20);
}

TEST(DedupQueries, AnswersThatNeverComeAreWaitedForTwoSecondsOnce) {
  FakeClock clock;
  const auto cas = std::make_shared<FakeCas>();
  cas->hold(FakeCas::Op::kQueryDedup);
  const auto content = random_bytes(60 * kMiB, 1);  // several xorbs of 16 MiB, and a query or two for each
  UploadSession session(client_of(cas, 2, 64 * kMiB, clock), {});
  for (size_t i = 0; i < 6; ++i)
    session.add_bytes("part", ByteSpan(content).subspan(i * 10 * kMiB, 10 * kMiB));
  auto report = std::async(std::launch::async, [&] { return session.commit(); });
  ASSERT_TRUE(cas->wait_for_held(FakeCas::Op::kQueryDedup, 2));
  EXPECT_EQ(cas->calls(FakeCas::Op::kPutXorb), 0U);
  clock.advance(std::chrono::milliseconds(2000));
  ASSERT_EQ(report.wait_for(std::chrono::seconds(30)), std::future_status::ready);
  const auto outcome = report.get();
  ASSERT_THAT(outcome, IsOk());
  EXPECT_EQ(outcome->metrics.new_bytes, content.size());
}

TEST(DedupQueries, FailuresAreNotFailuresOfTheUpload) {
  const auto cas = std::make_shared<FakeCas>(FakeCas::Options{.dedup = FakeCas::Dedup::kPlain});
  cas->fail(FakeCas::Op::kQueryDedup, [](size_t) -> Status { return fail(ErrorCode::kUnavailable, "no"); });
  const auto content = random_bytes(2 * kMiB, 1);
  EXPECT_EQ(cas->content(upload_one(client_of(cas), content).hash), content);
  EXPECT_GT(cas->calls(FakeCas::Op::kQueryDedup), 0U);
}

TEST(DedupQueries, AreMadeForTheFirstChunkAndThenForOneInManyFarApart) {
  const auto cas = std::make_shared<FakeCas>();
  const auto content = random_bytes(120 * kMiB, 1);
  const auto report = upload_one(client_of(cas), content);
  // 1920 chunks, of which one in 1024 is a key, and the first
  EXPECT_GE(cas->queries().size(), 1U);
  EXPECT_LE(cas->queries().size(), 8U);
  EXPECT_EQ(cas->content(report.hash), content);
}

TEST(DedupQueries, AreNotRepeatedForEqualFiles) {
  const auto cas = std::make_shared<FakeCas>();
  const auto content = random_bytes(100'000, 1);
  ASSERT_THAT(upload(client_of(cas), {content, content, content}), IsOk());
  EXPECT_EQ(cas->queries().size(), 1U);
}

}  // namespace
}  // namespace xet
