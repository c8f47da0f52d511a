#include <gtest/gtest.h>

#include <future>

#include "session/pipelines.h"
#include "support/generators.h"
#include "support/matchers.h"
#include "support/temp_dir.h"

namespace xet {
namespace {

using namespace testing;
using Op = FakeCas::Op;
using ::testing::SizeIs;

/// A store whose client keeps shards in a directory of the test.
class Resuming : public ::testing::Test {
 protected:
  /// An upload that dies when the store does not take its shard, after all its xorbs were acknowledged.
  void broken_upload(const ByteVector& content) {
    cas_->fail(Op::kPutShard, [](size_t) -> Status { return fail(ErrorCode::kUnavailable, "away"); });
    EXPECT_THAT(upload(client_of(cas_), {content}), FailsWith(ErrorCode::kUnavailable));
    cas_->fail(Op::kPutShard, nullptr);
  }
  std::vector<std::string> staged() const {
    return std::filesystem::exists(dir_ / "staging") ? names_in(dir_ / "staging")
                                                     : std::vector<std::string>{};
  }

  const TempDir dir_;
  const std::shared_ptr<FakeCas> cas_ =
      std::make_shared<FakeCas>(FakeCas::Options{.shard_places = dir_.path()});
  const ByteVector content_ = random_bytes(40 * kMiB, 1);  // three xorbs
};

TEST_F(Resuming, WhatWasAcknowledgedIsNotSentAgain) {
  broken_upload(content_);
  EXPECT_THAT(staged(), SizeIs(3));
  EXPECT_EQ(cas_->n_files(), 0U);
  const size_t n_puts = cas_->calls(Op::kPutXorb);
  const auto report = upload_one(client_of(cas_), content_);
  EXPECT_EQ(report.metrics.new_bytes, 0U);
  EXPECT_EQ(cas_->calls(Op::kPutXorb), n_puts);
  EXPECT_TRUE(cas_->content(report.hash) == content_);
  // the store has heard of these xorbs only now
  for (const auto& xorb : cas_->xorbs()) EXPECT_TRUE(cas_->describes(xorb));
  // what was staged has done its duty and serves as a cache from now on
  EXPECT_THAT(staged(), SizeIs(0));
  EXPECT_GE(names_in(dir_ / "cache").size(), 3U);
}

TEST_F(Resuming, AnUploadThatDiesAgainKeepsTheStagedLists) {
  broken_upload(content_);
  auto longer = content_;
  append_bytes(longer, random_bytes(kMiB, 2));
  broken_upload(longer);
  EXPECT_THAT(staged(), SizeIs(4));
  const auto report = upload_one(client_of(cas_), longer);
  EXPECT_EQ(report.metrics.new_bytes, 0U);
  EXPECT_TRUE(cas_->content(report.hash) == longer);
  EXPECT_THAT(staged(), SizeIs(0));
}

TEST_F(Resuming, AXorbThatWasNotAcknowledgedIsSentAgain) {
  cas_->fail(Op::kPutXorb, [](size_t nth) -> Status {
    if (nth > 0) return fail(ErrorCode::kUnavailable, "away");
    return {};
  });
  EXPECT_THAT(upload(client_of(cas_, 1), {content_}), FailsWith(ErrorCode::kUnavailable));
  cas_->fail(Op::kPutXorb, nullptr);
  EXPECT_LE(staged().size(), 1U);  // its list may not have been written when the session ended
  const auto report = upload_one(client_of(cas_), content_);
  EXPECT_GE(report.metrics.new_bytes, content_.size() - 16 * kMiB);
  EXPECT_TRUE(cas_->content(report.hash) == content_);
}

TEST_F(Resuming, BrokenFilesInBothPlacesAreIgnored) {
  broken_upload(content_);
  const auto other = random_bytes(3 * kMiB, 5);
  upload_one(client_of(cas_), other);
  for (const char* place : {"staging", "cache"}) {
    size_t n = 0;
    if (!std::filesystem::exists(dir_ / place)) continue;
    for (const auto& name : names_in(dir_ / place)) {
      auto bytes = read_bytes(dir_ / place / name);
      bytes[bytes.size() / 2] ^= std::byte{1};
      if (n++ % 2 == 0) bytes.resize(bytes.size() / 3);
      write_bytes(dir_ / place / name, bytes);
    }
    write_bytes(dir_ / place / "rubbish.mdb", random_bytes(1000, 1));
    write_bytes(dir_ / place / (std::string(64, '0') + ".mdb"), random_bytes(1000, 1));
    std::filesystem::create_directory(dir_ / place / (std::string(64, '1') + ".mdb"));
  }
  const auto report = upload_one(client_of(cas_), content_);
  EXPECT_TRUE(cas_->content(report.hash) == content_);
  const auto again = upload_one(client_of(cas_), other);
  EXPECT_TRUE(cas_->content(again.hash) == other);
}

TEST_F(Resuming, ADryRunUsesWhatIsThereAndLeavesItThere) {
  broken_upload(content_);
  const auto before = staged();
  const auto report = upload(client_of(cas_), {content_}, {.dry_run = true});
  ASSERT_THAT(report, IsOk());
  EXPECT_EQ(report->metrics.new_bytes, 0U);
  EXPECT_EQ(staged(), before);
}

TEST_F(Resuming, ShardPlacesThatCannotBeWrittenCostOnlyDeduplication) {
  std::filesystem::create_directories(dir_.path());
  write_bytes(dir_ / "staging", {});  // files where directories should be
  write_bytes(dir_ / "cache", {});
  for (int i = 0; i < 2; ++i) {
    const auto report = upload_one(client_of(cas_), content_);
    EXPECT_EQ(report.metrics.new_bytes, content_.size());
    EXPECT_TRUE(cas_->content(report.hash) == content_);
  }
}

TEST_F(Resuming, AnswersOfTheStoreServeLaterSessions) {
  const auto cas = std::make_shared<FakeCas>(
      FakeCas::Options{.threads = 0, .dedup = FakeCas::Dedup::kKeyed, .shard_places = dir_ / "answers"});
  const auto content = random_bytes(2 * kMiB, 1);
  upload_one(client_of(cas), content);
  std::filesystem::remove_all(dir_ / "answers");
  const auto first = upload_one(client_of(cas), content);
  EXPECT_EQ(first.metrics.new_bytes, 0U);
  EXPECT_EQ(first.metrics.deduped_bytes_by_global_dedup, content.size());
  const size_t n_queries = cas->queries().size();
  const auto second = upload_one(client_of(cas), content);
  EXPECT_EQ(second.metrics.new_bytes, 0U);
  EXPECT_EQ(second.metrics.deduped_bytes_by_global_dedup, 0U);
  EXPECT_EQ(cas->queries().size(), n_queries);
}

TEST_F(Resuming, WordOfXorbsThatTheStoreHasLostIsForgotten) {
  upload_one(client_of(cas_), random_bytes(kMiB, 7));
  broken_upload(content_);
  const auto file = dir_ / "file";
  write_bytes(file, content_);
  const auto emptied = std::make_shared<FakeCas>(FakeCas::Options{.shard_places = dir_.path()});
  const auto client = client_of(emptied);
  UploadSession session(client, {});
  session.add_bytes("bytes", content_);
  session.add_file(file);
  const auto report = session.commit();
  ASSERT_THAT(report, IsOk());
  EXPECT_EQ(report->metrics.new_bytes, content_.size());
  ASSERT_THAT(report->files, SizeIs(2));
  EXPECT_EQ(report->files[0]->name, "bytes");
  EXPECT_EQ(report->files[1]->name, file.string());
  EXPECT_TRUE(emptied->content(report->files[1]->hash) == content_);
  EXPECT_EQ(emptied->calls(Op::kPutShard), 2U);
}

TEST_F(Resuming, AStreamCannotBeReadAgainWhenTheStoreHasLostXorbs) {
  broken_upload(content_);
  const auto emptied = std::make_shared<FakeCas>(FakeCas::Options{.shard_places = dir_.path()});
  const auto client = client_of(emptied);
  UploadSession session(client, {});
  auto stream = session.add_stream("stream");
  ASSERT_THAT(stream.write(content_), IsOk());
  ASSERT_THAT(stream.finish(), IsOk());
  EXPECT_THAT(session.commit(), FailsWith(ErrorCode::kNotFound, "upload again"));
  const auto report = upload_one(client, content_);
  EXPECT_EQ(report.metrics.new_bytes, content_.size());
}

TEST_F(Resuming, AStoreThatGoesOnLosingXorbsIsTriedOnceMoreOnly) {
  broken_upload(content_);
  const auto emptied = std::make_shared<FakeCas>(FakeCas::Options{.shard_places = dir_.path()});
  emptied->fail(Op::kPutShard, [](size_t) { return fail(ErrorCode::kNotFound, "no such xorb"); });
  EXPECT_THAT(upload(client_of(emptied), {content_}), FailsWith(ErrorCode::kNotFound));
  EXPECT_EQ(emptied->calls(Op::kPutShard), 2U);
  // without any notes to blame the first answer counts
  const auto fresh = std::make_shared<FakeCas>();
  fresh->fail(Op::kPutShard, [](size_t) { return fail(ErrorCode::kNotFound, "no such xorb"); });
  EXPECT_THAT(upload(client_of(fresh), {content_}), FailsWith(ErrorCode::kNotFound));
  EXPECT_EQ(fresh->calls(Op::kPutShard), 1U);
}

TEST_F(Resuming, TwoSessionsAtOnceDoNotTakeEachOthersLists) {
  // One is in the middle of its work when the other begins and ends.
  cas_->hold(Op::kPutShard);
  auto slow = std::async(std::launch::async, [&] { return upload(client_of(cas_), {content_}); });
  ASSERT_TRUE(cas_->wait_for_held(Op::kPutShard, 1));
  const auto other = random_bytes(kMiB, 3);
  auto quick = std::async(std::launch::async, [&] { return upload(client_of(cas_), {other, content_}); });
  ASSERT_TRUE(cas_->wait_for_held(Op::kPutShard, 2));
  cas_->release(Op::kPutShard);
  for (auto* session : {&slow, &quick}) EXPECT_THAT(session->get(), IsOk());
  EXPECT_THAT(staged(), SizeIs(0));
  const auto again = upload_one(client_of(cas_), content_);
  EXPECT_EQ(again.metrics.new_bytes, 0U);
}

}  // namespace
}  // namespace xet
