#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <thread>

#include "libxet/session_support.h"

namespace xet {
namespace {

using namespace std::chrono_literals;
using namespace testing;

class UploadCommits : public NothingLeft {
 protected:
  std::shared_ptr<UploadCommit> open() { return session_->new_upload_commit(in(store_)).value(); }
  Result<ByteVector> read(const FileReport& file) {
    return stream_of(*session_, in(store_), {.hash = file.hash.hex(), .size_bytes = file.size_bytes});
  }
  void TearDown() override {
    session_.reset();
    NothingLeft::TearDown();
  }
  const TempDir store_;
  const TempDir dir_;
  std::shared_ptr<Session> session_ = make_session();
};

TEST_F(UploadCommits, GoFromRunningToCompleted) {
  const auto commit = open();
  EXPECT_EQ(commit->state(), TaskState::kRunning);
  EXPECT_FALSE(commit->error().has_value());
  EXPECT_THAT(commit->result(), FailsWith(ErrorCode::kInternal));
  EXPECT_FALSE(commit->wait_for(1ms));

  const auto content = random_bytes(3 * kMiB, 1);
  write_bytes(dir_ / "file", content);
  const auto path = commit->add_file(dir_ / "file", {}).value();
  const auto bytes = commit->add_bytes(content, "bytes", {.sha256 = Sha256Policy::kSkip}).value();
  const auto nameless = commit->add_bytes({}, std::nullopt, {}).value();
  const auto stream = commit->add_stream("stream", {}).value();
  EXPECT_FALSE(stream->is_finished());
  EXPECT_FALSE(stream->result().has_value());
  EXPECT_EQ(stream->state(), TaskState::kRunning);
  ASSERT_THAT(stream->write(content), IsOk());
  ASSERT_THAT(stream->finish(), IsOk());
  EXPECT_TRUE(stream->is_finished());

  const auto report = finish(*commit).value();
  EXPECT_EQ(commit->state(), TaskState::kCompleted);
  EXPECT_FALSE(commit->error().has_value());
  ASSERT_EQ(report.files.size(), 4U);
  EXPECT_EQ(report.files[0].name, (dir_ / "file").string());
  EXPECT_EQ(report.files[1].name, "bytes");
  EXPECT_EQ(report.files[2].name, std::nullopt);
  EXPECT_EQ(report.files[3].name, "stream");
  EXPECT_EQ(report.files[0].id, path->id());
  EXPECT_EQ(report.files[3].id, stream->id());
  EXPECT_LT(commit->id(), path->id());
  EXPECT_LT(path->id(), bytes->id());
  EXPECT_LT(bytes->id(), nameless->id());
  EXPECT_LT(nameless->id(), stream->id());
  EXPECT_LT(stream->id(), open()->id());
  EXPECT_TRUE(report.files[0].report.sha256.has_value());
  EXPECT_FALSE(report.files[1].report.sha256.has_value());
  for (const size_t i : {0U, 1U, 3U}) EXPECT_EQ(report.files[i].report.hash, hash_of(content));
  EXPECT_EQ(report.metrics.total_bytes, 3 * content.size());
  EXPECT_EQ(report.metrics.new_bytes, content.size());
  EXPECT_EQ(path->state(), TaskState::kCompleted);
  EXPECT_EQ(path->result()->value().hash, hash_of(content));
  EXPECT_EQ(stream->result()->value().size_bytes, content.size());
  EXPECT_EQ(read(report.files[3].report).value(), content);
  EXPECT_EQ(commit->result().value().files.size(), 4U) << "asked twice";
}

TEST_F(UploadCommits, OfNothingCompletes) {
  EXPECT_TRUE(finish(*open()).value().files.empty());
}

TEST_F(UploadCommits, ThatAreFinishedTakeNothingMore) {
  const auto commit = open();
  ASSERT_THAT(commit->begin_finish(), IsOk());
  EXPECT_THAT(commit->begin_finish(), FailsWith(ErrorCode::kAlreadyDone));
  EXPECT_THAT(commit->add_bytes({}, "late", {}), FailsWith(ErrorCode::kAlreadyDone));
  ASSERT_TRUE(commit->wait_for(kLong));
  EXPECT_THAT(commit->begin_finish(), FailsWith(ErrorCode::kAlreadyDone));
  EXPECT_THAT(commit->add_stream("late", {}), FailsWith(ErrorCode::kAlreadyDone));
  write_bytes(dir_ / "late", {});
  EXPECT_THAT(commit->add_file(dir_ / "late", {}), FailsWith(ErrorCode::kAlreadyDone));
  commit->abort();  // harmless
  EXPECT_EQ(commit->state(), TaskState::kCompleted);
  EXPECT_THAT(commit->result(), IsOk());
}

TEST_F(UploadCommits, MayBeAbortedBeforeTheyAreFinished) {
  const auto commit = open();
  const auto content = random_bytes(3 * kMiB, 2);
  const auto file = commit->add_bytes(content, "bytes", {}).value();
  const auto stream = commit->add_stream("stream", {}).value();
  commit->abort();
  commit->abort();
  EXPECT_EQ(commit->state(), TaskState::kCancelled);
  EXPECT_TRUE(commit->wait_for(0ms));
  EXPECT_THAT(commit->result(), FailsWith(ErrorCode::kCancelled));
  EXPECT_EQ(commit->error()->code, ErrorCode::kCancelled);
  EXPECT_THAT(commit->begin_finish(), FailsWith(ErrorCode::kCancelled));
  EXPECT_THAT(commit->add_bytes({}, "late", {}), FailsWith(ErrorCode::kCancelled));
  EXPECT_TRUE(file->wait_for(0ms)) << "read already, or told of the abort";
  EXPECT_THAT(*stream->result(), FailsWith(ErrorCode::kCancelled));
  EXPECT_EQ(stream->state(), TaskState::kCancelled);
  EXPECT_THAT(stream->write(content), FailsWith(ErrorCode::kCancelled));
  EXPECT_THAT(stream->finish(), FailsWith(ErrorCode::kCancelled));
  EXPECT_EQ(commit->items().size(), 2U) << "what it tells of itself stays";
  EXPECT_THAT(stream_of(*session_, in(store_), {.hash = hash_of(content).hex()}),
              FailsWith(ErrorCode::kNotFound));
  expect_nothing_left();
}

TEST_F(UploadCommits, MayBeAbortedWhileTheyFinish) {
  SlowServer server;
  server.hold(SlowServer::is_upload);
  const auto commit = session_->new_upload_commit(server.endpoint()).value();
  commit->add_bytes(random_bytes(kMiB, 3), "bytes", {}).value();
  ASSERT_THAT(commit->begin_finish(), IsOk());
  EXPECT_EQ(commit->state(), TaskState::kFinalizing);
  ASSERT_TRUE(server.wait_for_held(1));
  EXPECT_THAT(commit->result(), FailsWith(ErrorCode::kInternal)) << "not before the end";
  EXPECT_FALSE(commit->wait_for(1ms));
  commit->abort();
  EXPECT_EQ(commit->state(), TaskState::kCancelled);
  EXPECT_THAT(commit->result(), FailsWith(ErrorCode::kCancelled));
  EXPECT_THAT(commit->begin_finish(), FailsWith(ErrorCode::kCancelled));
  server.go_on();
  EXPECT_EQ(server.cas().store().n_files(), 0U);
}

TEST_F(UploadCommits, RefuseAMissingPathAtOnceAndUnharmed) {
  const auto commit = open();
  EXPECT_THAT(commit->add_file(dir_ / "nowhere", {}), FailsWith(ErrorCode::kIo, "nowhere"));
  EXPECT_THAT(commit->add_file("", {}), FailsWith(ErrorCode::kIo));
  EXPECT_THAT(commit->add_file(dir_ / std::string("a\0b", 3), {}), FailsWith(ErrorCode::kIo));
  std::filesystem::create_symlink(dir_ / "nowhere", dir_ / "dangling");
  EXPECT_THAT(commit->add_file(dir_ / "dangling", {}), FailsWith(ErrorCode::kIo));
  const auto content = random_bytes(1000, 4);
  commit->add_bytes(content, "bytes", {}).value();
  const auto report = finish(*commit).value();
  ASSERT_EQ(report.files.size(), 1U);
  EXPECT_EQ(read(report.files[0].report).value(), content);
}

TEST_F(UploadCommits, TakeAFileByTheNameItsCallerMeant) {
  const auto content = random_bytes(1000, 5);
  write_bytes(dir_ / "file", content);
  std::filesystem::create_symlink("file", dir_ / "link");
  const auto commit = open();
  const auto file = commit->add_file(dir_ / "link", {}).value();
  EXPECT_EQ(file->name(), (dir_ / "link").string());
  const auto relative = std::filesystem::relative(dir_ / "file");
  EXPECT_TRUE(std::filesystem::path(*commit->add_file(relative, {}).value()->name()).is_absolute());
  EXPECT_EQ(finish(*commit).value().files[0].report.hash, hash_of(content));
}

/// A commit with one good file, which is to fail for another one.
class FailedCommits : public UploadCommits {
 protected:
  void SetUp() override {
    UploadCommits::SetUp();
    commit_ = open();
    good_ = commit_->add_bytes(content_, "good", {}).value();
  }
  void expect_failed(ErrorCode code) {
    EXPECT_EQ(commit_->state(), TaskState::kFailed);
    EXPECT_EQ(commit_->error()->code, code);
    EXPECT_THAT(commit_->result(), FailsWith(code));
    EXPECT_THAT(commit_->begin_finish(), FailsWith(code, "failed before"));
    EXPECT_THAT(commit_->add_bytes({}, "late", {}), FailsWith(code, "failed before"));
    EXPECT_TRUE(good_->wait_for(kLong));
    commit_->abort();
    EXPECT_EQ(commit_->state(), TaskState::kFailed);
    EXPECT_THAT(stream_of(*session_, in(store_), {.hash = hash_of(content_).hex()}),
                FailsWith(ErrorCode::kNotFound));
  }
  void TearDown() override {
    good_.reset();
    commit_.reset();
    UploadCommits::TearDown();
  }

  const ByteVector content_ = random_bytes(kMiB, 6);
  std::shared_ptr<UploadCommit> commit_;
  std::shared_ptr<FileUpload> good_;
};

TEST_F(FailedCommits, ADirectoryFailsAll) {
  const auto bad = commit_->add_file(dir_.path(), {}).value();
  ASSERT_TRUE(bad->wait_for(kLong));
  EXPECT_THAT(*bad->result(), FailsWith(ErrorCode::kIo, "is a directory"));
  EXPECT_EQ(bad->state(), TaskState::kFailed);
  EXPECT_THAT(finish(*commit_), FailsWith(ErrorCode::kIo, "is a directory"));
  EXPECT_EQ(good_->result()->value().hash, hash_of(content_));
  EXPECT_EQ(good_->state(), TaskState::kCompleted);
  expect_failed(ErrorCode::kIo);
}

// The pipeline reads in order, so what comes behind a long file is not read yet.
TEST_F(FailedCommits, AFileThatVanishesFailsAll) {
  write_bytes(dir_ / "long", {});
  std::filesystem::resize_file(dir_ / "long", (kSanitized ? 64 : 256) * kMiB);
  write_bytes(dir_ / "short", content_);
  commit_->add_file(dir_ / "long", {.sha256 = Sha256Policy::kSkip}).value();
  const auto bad = commit_->add_file(dir_ / "short", {}).value();
  std::filesystem::remove(dir_ / "short");
  EXPECT_THAT(finish(*commit_), FailsWith(ErrorCode::kNotFound, "short"));
  EXPECT_THAT(*bad->result(), FailsWith(ErrorCode::kNotFound));
  EXPECT_THAT(*good_->result(), IsOk());
  expect_failed(ErrorCode::kNotFound);
}

TEST_F(FailedCommits, AFileThatChangesFailsAll) {
  write_bytes(dir_ / "long", {});
  std::filesystem::resize_file(dir_ / "long", (kSanitized ? 64 : 256) * kMiB);
  const auto bad = commit_->add_file(dir_ / "long", {}).value();
  std::filesystem::resize_file(dir_ / "long", 7);
  EXPECT_THAT(finish(*commit_), FailsWith(ErrorCode::kIo, "changed"));
  EXPECT_THAT(*bad->result(), FailsWith(ErrorCode::kIo));
  EXPECT_THAT(*good_->result(), IsOk());
  expect_failed(ErrorCode::kIo);
}

TEST_F(FailedCommits, AnUnfinishedStreamFailsAll) {
  const auto stream = commit_->add_stream("stream", {}).value();
  ASSERT_THAT(stream->write(random_bytes(3 * kMiB, 7)), IsOk());
  EXPECT_THAT(commit_->begin_finish(), FailsWith(ErrorCode::kInternal, "not finished"));
  EXPECT_TRUE(commit_->wait_for(0ms));
  ASSERT_TRUE(stream->wait_for(kLong)) << "what reads files has ended, so somebody must tell them";
  EXPECT_FALSE(stream->result()->has_value());
  EXPECT_TRUE(eventually([&] { return !stream->write(content_); }));
  EXPECT_THAT(stream->finish(), FailsWith(ErrorCode::kCancelled));
  EXPECT_TRUE(has_threads(0)) << "nothing is transferred";
  expect_failed(ErrorCode::kInternal);
}

TEST_F(FailedCommits, AnAbortedStreamFailsAll) {
  const auto stream = commit_->add_stream("stream", {}).value();
  stream->abort();
  stream->abort();
  EXPECT_THAT(*stream->result(), FailsWith(ErrorCode::kCancelled));
  EXPECT_EQ(stream->state(), TaskState::kCancelled);
  EXPECT_FALSE(stream->is_finished());
  EXPECT_EQ(commit_->state(), TaskState::kRunning);
  EXPECT_THAT(finish(*commit_), FailsWith(ErrorCode::kInternal));
  expect_failed(ErrorCode::kInternal);
}

TEST_F(UploadCommits, FailWithTheStore) {
  SlowServer server;
  server.cas().store().fail(FakeCas::Op::kPutShard,
                            [](size_t) -> Status { return fail(ErrorCode::kCorruption, "no"); });
  const auto commit = session_->new_upload_commit(server.endpoint()).value();
  const auto file = commit->add_bytes(random_bytes(1000, 8), "bytes", {}).value();
  const auto result = finish(*commit);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(commit->state(), TaskState::kFailed);
  EXPECT_EQ(commit->error()->code, result.error().code);
  EXPECT_THAT(*file->result(), IsOk()) << "it was read";
}

TEST_F(UploadCommits, GoOnAsLongAsSomebodyHasAFileOfThem) {
  const auto content = random_bytes(kMiB, 9);
  std::shared_ptr<FileUpload> file;
  {
    const auto commit = open();
    file = commit->add_bytes(content, "bytes", {}).value();
    ASSERT_THAT(commit->begin_finish(), IsOk());
  }
  ASSERT_TRUE(file->wait_for(kLong));
  const auto report = file->result()->value();
  EXPECT_TRUE(eventually([&] { return read(report).has_value(); }));
}

TEST_F(UploadCommits, EndWithTheLastWhoHasPartOfThem) {
  SlowServer server;
  server.hold(SlowServer::is_upload);
  {
    auto commit = session_->new_upload_commit(server.endpoint()).value();
    auto stream = commit->add_stream("stream", {}).value();
    auto file = commit->add_bytes(random_bytes(kMiB, 10), "bytes", {}).value();
    ASSERT_THAT(stream->write(random_bytes(kMiB, 11)), IsOk());
    ASSERT_THAT(stream->finish(), IsOk());
    ASSERT_THAT(commit->begin_finish(), IsOk());
    ASSERT_TRUE(server.wait_for_held(1));
    commit.reset();
    ASSERT_TRUE(file->wait_for(kLong));
    file.reset();
    EXPECT_THAT(*stream->result(), IsOk());
  }
  server.go_on();
  EXPECT_EQ(server.cas().store().n_files(), 0U);
}

TEST_F(UploadCommits, ManyMayBeOpenOnOneThread) {
  std::vector<std::shared_ptr<UploadCommit>> commits;
  std::vector<std::shared_ptr<StreamUpload>> streams;
  const auto content = random_bytes(3 * kMiB, 12);
  for (int i = 0; i < 8; ++i) {
    commits.push_back(open());
    streams.push_back(commits.back()->add_stream("stream", {}).value());
    ASSERT_THAT(streams.back()->write(content), IsOk());
  }
  for (size_t i = 0; i < commits.size(); ++i) {
    ASSERT_THAT(streams[i]->finish(), IsOk());
    EXPECT_EQ(finish(*commits[i]).value().files.at(0).report.hash, hash_of(content));
  }
}

TEST_F(UploadCommits, MayBeFilledAndFinishedFromManyThreads) {
  const auto commit = open();
  const auto content = random_bytes(50'000, 13);
  Sync<size_t> n_added;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 20; ++i) {
          const auto file = commit->add_bytes(content, "bytes", {});
          if (!file) {
            EXPECT_THAT(file, FailsWith(ErrorCode::kAlreadyDone));
            return;
          }
          ++*n_added.lock();
        }
      });
    }
    threads.emplace_back([&] {
      EXPECT_TRUE(eventually([&] { return *n_added.lock() >= 20; }));
      EXPECT_THAT(commit->begin_finish(), IsOk());
    });
  }
  ASSERT_TRUE(commit->wait_for(kLong));
  const auto report = commit->result().value();
  EXPECT_EQ(report.files.size(), *n_added.lock());
  EXPECT_EQ(commit->items().size(), report.files.size());
  for (size_t i = 0; i < report.files.size(); ++i) EXPECT_EQ(report.files[i].id, commit->items()[i].id);
}

}  // namespace
}  // namespace xet
