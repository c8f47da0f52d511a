#include <gtest/gtest.h>
#include <sys/stat.h>

#include <future>
#include <mutex>

#include "session/pipelines.h"
#include "support/faulty_calls.h"
#include "support/generators.h"
#include "support/matchers.h"
#include "support/temp_dir.h"

namespace xet {
namespace {

using namespace testing;
using Op = FakeCas::Op;

void append_to(const std::filesystem::path& path, ByteSpan bytes) {
  auto content = read_bytes(path);
  append_bytes(content, bytes);
  write_bytes(path, content);
}

/// Files in a directory, one of which is meddled with while it is read.
class ChangingFile : public ::testing::TestWithParam<size_t> {  // its size
 protected:
  ChangingFile() : victim_(dir_ / "victim"), content_(random_bytes(GetParam(), 1)) {
    write_bytes(victim_, content_);
    write_bytes(dir_ / "before", other_);
    write_bytes(dir_ / "after", other_);
  }

  /// Uploads all three; `meddle` runs once, before the nth read of the victim.
  Result<UploadReport> upload_meddled(size_t nth, const std::function<void()>& meddle) {
    struct stat st;
    EXPECT_EQ(::stat(victim_.c_str(), &st), 0);
    std::mutex mutex;
    size_t n_reads = 0;
    calls_.on_pread = [&, inode = st.st_ino](int fd, size_t, off_t) -> ssize_t {
      struct stat read;
      if (::fstat(fd, &read) != 0 || read.st_ino != inode) return FaultyCalls::kAll;
      const std::scoped_lock lock(mutex);
      if (++n_reads == nth) meddle();
      return outcome_;
    };
    const ScopedScope scope(calls_);
    UploadSession session(client_of(cas_), {});
    for (const char* name : {"before", "victim", "after"}) session.add_file(dir_ / name);
    return session.commit();
  }

  void expect_only_the_victim_failed(const Result<UploadReport>& report, ErrorCode code = ErrorCode::kIo) {
    ASSERT_THAT(report, IsOk());
    EXPECT_THAT(report->files[0], IsOk());
    EXPECT_THAT(report->files[1], FailsWith(code, victim_.string()));
    EXPECT_THAT(report->files[2], IsOk());
    EXPECT_EQ(cas_->n_files(), 1U);  // the two others are equal
    EXPECT_EQ(cas_->content(report->files[2]->hash), other_);
  }

  using ScopedScope = io::ScopedSystemCalls;
  const TempDir dir_;
  const std::filesystem::path victim_;
  const ByteVector content_;
  const ByteVector other_ = random_bytes(2 * kMiB, 2);
  const std::shared_ptr<FakeCas> cas_ = std::make_shared<FakeCas>();
  FaultyCalls calls_;
  ssize_t outcome_ = FaultyCalls::kAll;
};
INSTANTIATE_TEST_SUITE_P(SmallAndLarge, ChangingFile, ::testing::Values(100'000, 13 * kMiB),
                         [](const auto& param) { return param.param > kMiB ? "Large" : "Small"; });

TEST_P(ChangingFile, ThatShrinksFails) {
  expect_only_the_victim_failed(
      upload_meddled(1, [&] { std::filesystem::resize_file(victim_, GetParam() - 1); }));
}

TEST_P(ChangingFile, ThatGrowsFails) {
  expect_only_the_victim_failed(upload_meddled(1, [&] { append_to(victim_, random_bytes(10, 3)); }));
}

TEST_P(ChangingFile, ThatIsRewrittenFails) {
  expect_only_the_victim_failed(upload_meddled(1, [&] {
    write_bytes(victim_, random_bytes(GetParam(), 4));
    // the clock of the file system may be too coarse to tell
    std::filesystem::last_write_time(victim_,
                                     std::filesystem::file_time_type::clock::now() + std::chrono::seconds(9));
  }));
}

TEST_P(ChangingFile, ThatCannotBeReadFails) {
  expect_only_the_victim_failed(upload_meddled(1, [&] { outcome_ = -EIO; }));
}

TEST_P(ChangingFile, ThatIsReplacedByAnotherIsReadAsItWasWhenItWasOpened) {
  const auto report = upload_meddled(1, [&] {
    write_bytes(dir_ / "new", random_bytes(GetParam(), 4));
    std::filesystem::rename(dir_ / "new", victim_);
  });
  ASSERT_THAT(report, IsOk());
  ASSERT_THAT(report->files[1], IsOk());
  EXPECT_EQ(report->files[1]->hash, hash_of(content_));
}

TEST_P(ChangingFile, ShortAndInterruptedReadsDoNoHarm) {
  calls_.on_pread = [&](int, size_t, off_t) -> ssize_t { return calls_.n_preads % 3 == 0 ? -EINTR : 40'000; };
  const ScopedScope scope(calls_);
  UploadSession session(client_of(cas_), {});
  session.add_file(victim_);
  const auto report = session.commit();
  ASSERT_THAT(report, IsOk());
  EXPECT_EQ(report->files[0].value().hash, hash_of(content_));
}

TEST_P(ChangingFile, ThatIsGoneWhenItsTurnComesFails) {
  const auto first = random_bytes(20 * kMiB, 5);
  UploadSession session(client_of(cas_), {});
  cas_->hold(Op::kQueryDedup);  // the blocks of the first file stay where they are
  cas_->hold(Op::kPutXorb);
  session.add_bytes("first", first);
  session.add_file(victim_);
  std::filesystem::remove(victim_);
  cas_->release(Op::kQueryDedup);
  cas_->release(Op::kPutXorb);
  const auto report = session.commit();
  ASSERT_THAT(report, IsOk());
  EXPECT_THAT(report->files[0], IsOk());
  // it may have been opened already
  if (!report->files[1]) {
    EXPECT_THAT(report->files[1], FailsWith(ErrorCode::kNotFound, victim_.string()));
  }
}

TEST(UploadFaults, PathsThatAreNoFilesFailAloneAndAreNamed) {
  const TempDir dir;
  write_bytes(dir / "good", random_bytes(10, 1));
  UploadSession session(client_of(std::make_shared<FakeCas>()), {});
  session.add_file(dir / "missing");
  session.add_file(dir.path());
  session.add_file(dir / "good");
  session.add_file(std::string(5000, 'x'));
  session.add_file("");
  const auto report = session.commit();
  ASSERT_THAT(report, IsOk());
  EXPECT_THAT(report->files[0], FailsWith(ErrorCode::kNotFound, (dir / "missing").string()));
  EXPECT_THAT(report->files[1], FailsWith(ErrorCode::kIo, dir.path().string()));
  EXPECT_THAT(report->files[2], IsOk());
  EXPECT_THAT(report->files[3], FailsWith(ErrorCode::kIo));
  EXPECT_THAT(report->files[4], FailsWith(ErrorCode::kNotFound));
  EXPECT_EQ(report->metrics.total_bytes, 10U);
}

TEST(UploadFaults, AXorbThatIsNotTakenFailsTheSession) {
  const auto cas = std::make_shared<FakeCas>();
  cas->fail(Op::kPutXorb, [](size_t nth) -> Status {
    if (nth == 1) return fail(ErrorCode::kUnavailable, "the store is away");
    return {};
  });
  const auto report = upload(client_of(cas), {random_bytes(40 * kMiB, 1), random_bytes(10, 2)});
  EXPECT_THAT(report, FailsWith(ErrorCode::kUnavailable, "the store is away"));
  EXPECT_EQ(cas->n_files(), 0U);
  EXPECT_EQ(cas->calls(Op::kPutShard), 0U);
}

TEST(UploadFaults, AShardThatIsNotTakenFailsTheSession) {
  const auto cas = std::make_shared<FakeCas>();
  cas->fail(Op::kPutShard, [](size_t) -> Status { return fail(ErrorCode::kRefused, "over quota"); });
  EXPECT_THAT(upload(client_of(cas), {random_bytes(10, 2)}), FailsWith(ErrorCode::kRefused, "over quota"));
}

TEST(UploadFaults, ACancelAfterTheStoreAcknowledgedDoesNotUndoIt) {
  const StopSource stop;
  const auto cas = std::make_shared<FakeCas>();
  UploadOptions options;
  options.session.stop = stop.get_token();
  UploadSession session(client_of(cas), options);
  const auto content = random_bytes(10, 1);
  session.add_bytes("it", content);
  const auto report = session.commit();
  stop.request_stop();
  EXPECT_THAT(report, IsOk());
}

TEST(UploadFaults, AnOpenStreamFailsTheCommit) {
  const auto cas = std::make_shared<FakeCas>();
  const auto client = client_of(cas);
  UploadSession session(client, {});
  auto open = session.add_stream("open");
  ASSERT_THAT(open.write(random_bytes(100, 1)), IsOk());
  EXPECT_THAT(session.commit(), FailsWith(ErrorCode::kInvalidArgument));
  EXPECT_THAT(open.write(random_bytes(3 * kMiB, 1)), FailsWith(ErrorCode::kInvalidArgument));
  EXPECT_THAT(open.finish(), FailsWith(ErrorCode::kInvalidArgument));
  EXPECT_EQ(cas->n_files(), 0U);
}

TEST(UploadFaults, ADroppedStreamFailsItsFileAlone) {
  const auto cas = std::make_shared<FakeCas>();
  UploadSession session(client_of(cas), {});
  const auto content = random_bytes(5 * kMiB, 1);
  {
    auto dropped = session.add_stream("dropped");
    ASSERT_THAT(dropped.write(content), IsOk());
    const auto unused = session.add_stream("unused");
    auto moved_over = session.add_stream("moved over");
    moved_over = session.add_stream("kept");
    ASSERT_THAT(moved_over.write(content), IsOk());
    ASSERT_THAT(moved_over.finish(), IsOk());
  }
  const auto report = session.commit();
  ASSERT_THAT(report, IsOk());
  EXPECT_THAT(report->files[0], FailsWith(ErrorCode::kCancelled, "dropped"));
  EXPECT_THAT(report->files[1], FailsWith(ErrorCode::kCancelled, "unused"));
  EXPECT_THAT(report->files[2], FailsWith(ErrorCode::kCancelled, "moved over"));
  ASSERT_THAT(report->files[3], IsOk());
  EXPECT_EQ(cas->content(report->files[3]->hash), content);
}

TEST(UploadFaults, AStreamIsFinishedOnce) {
  const auto cas = std::make_shared<FakeCas>();
  UploadSession session(client_of(cas), {});
  const auto content = random_bytes(100, 1);
  auto pushed = session.add_stream("stream");
  ASSERT_THAT(pushed.write(content), IsOk());
  ASSERT_THAT(pushed.finish(), IsOk());
  EXPECT_THAT(pushed.write(content), FailsWith(ErrorCode::kInvalidArgument, "stream"));
  EXPECT_THAT(pushed.finish(), FailsWith(ErrorCode::kInvalidArgument, "stream"));
  const auto report = session.commit();
  ASSERT_THAT(report, IsOk());
  EXPECT_EQ(cas->content(report->files[0].value().hash), content);
}

TEST(UploadFaults, StreamsMayOutliveTheSessionAndTheClient) {
  const auto cas = std::make_shared<FakeCas>();
  auto client = client_of(cas);
  auto session = std::make_unique<UploadSession>(client, UploadOptions());
  auto pushed = session->add_stream("stream");
  session.reset();
  client.reset();
  EXPECT_THAT(pushed.write(random_bytes(3 * kMiB, 1)), FailsWith(ErrorCode::kCancelled));
  EXPECT_THAT(pushed.finish(), FailsWith(ErrorCode::kCancelled));
}

TEST(UploadFaults, APipeThatNobodyWritesHoldsNothingUpAndCanBeCancelled) {
  const TempDir dir;
  ASSERT_EQ(::mkfifo((dir / "pipe").c_str(), 0600), 0);
  const StopSource stop;
  UploadOptions options;
  options.session.stop = stop.get_token();
  UploadSession session(client_of(std::make_shared<FakeCas>()), options);
  session.add_file(dir / "pipe");
  auto report = std::async(std::launch::async, [&] { return session.commit(); });
  stop.request_stop();
  EXPECT_THAT(report.get(), FailsWith(ErrorCode::kCancelled));
}

TEST(UploadFaults, TheDeadlineEndsASessionWhoseStoreDoesNotAnswer) {
  FakeClock clock;
  const auto cas = std::make_shared<FakeCas>();
  cas->hold(Op::kPutXorb);
  UploadOptions options;
  options.session.deadline = clock.now() + std::chrono::hours(1);
  UploadSession session(client_of(cas, 2, 64 * kMiB, clock), options);
  const auto content = random_bytes(10, 1);
  session.add_bytes("it", content);
  auto report = std::async(std::launch::async, [&] { return session.commit(); });
  ASSERT_TRUE(cas->wait_for_held(Op::kPutXorb, 1));
  clock.advance(std::chrono::hours(2));
  EXPECT_THAT(report.get(), FailsWith(ErrorCode::kDeadline));
}

TEST(UploadFaults, ATokenThatFiredBeforeLeavesNothingToDo) {
  const StopSource stop;
  stop.request_stop();
  UploadOptions options;
  options.session.stop = stop.get_token();
  const auto cas = std::make_shared<FakeCas>();
  EXPECT_THAT(upload(client_of(cas), {random_bytes(10 * kMiB, 1)}, options),
              FailsWith(ErrorCode::kCancelled));
  EXPECT_EQ(cas->xorbs().size(), 0U);
}

TEST(UploadFaults, MetadataOfManyKnownFilesGoesToTheStoreInParts) {
  const TempDir dir;
  const auto cas = std::make_shared<FakeCas>(FakeCas::Options{.shard_places = dir.path()});
  const auto client = client_of(cas, 2, 64 * kMiB, system_clock(), {.shard_flush_bytes = 20'000});
  std::vector<ByteVector> contents;
  for (uint64_t i = 0; i < 1000; ++i) contents.push_back(random_bytes(100, i));
  ASSERT_THAT(upload(client, contents), IsOk());
  const size_t n_before = cas->calls(Op::kPutShard);
  // some new ones between, so that a xorb is open while metadata goes out
  for (size_t i = 0; i < contents.size(); i += 100) contents[i] = random_bytes(100, 10'000 + i);
  const auto report = upload(client, contents);
  ASSERT_THAT(report, IsOk());
  expect_sums_hold(*report);
  EXPECT_EQ(report->metrics.new_bytes, 10U * 100);
  EXPECT_EQ(cas->n_files(), 1010U);
  EXPECT_GT(cas->calls(Op::kPutShard), n_before + 5);
  for (size_t i = 0; i < contents.size(); ++i) EXPECT_EQ(report->files[i].value().hash, hash_of(contents[i]));
}

}  // namespace
}  // namespace xet
