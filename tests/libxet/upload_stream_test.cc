#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "libxet/session_support.h"

namespace xet {
namespace {

using namespace testing;

class UploadStreams : public NothingLeft {
 protected:
  void TearDown() override {
    session_.reset();
    NothingLeft::TearDown();
  }
  const TempDir store_;
  // The least memory that there is, so that writers soon have to wait.
  std::shared_ptr<Session> session_ = make_session({{"reconstruction.download_buffer_limit", uint64_t{1}},
                                                    {"reconstruction.download_buffer_size", uint64_t{1}}});
};

TEST_F(UploadStreams, TakeNothingAfterTheirEnd) {
  const auto commit = session_->new_upload_commit(in(store_)).value();
  const auto done = commit->add_stream("done", {}).value();
  const auto content = random_bytes(100, 1);
  ASSERT_THAT(done->write(content), IsOk());
  ASSERT_THAT(done->finish(), IsOk());
  EXPECT_THAT(done->finish(), FailsWith(ErrorCode::kAlreadyDone));
  EXPECT_THAT(done->write(content), FailsWith(ErrorCode::kAlreadyDone));
  done->abort();  // too late
  EXPECT_TRUE(done->is_finished());
  ASSERT_TRUE(done->wait_for(kLong));
  EXPECT_EQ(done->result()->value().hash, hash_of(content));

  const auto aborted = commit->add_stream("aborted", {}).value();
  aborted->abort();
  EXPECT_THAT(aborted->write(content), FailsWith(ErrorCode::kCancelled));
  EXPECT_THAT(aborted->finish(), FailsWith(ErrorCode::kCancelled));
}

TEST_F(UploadStreams, TakeTurnsOfTheirWriters) {
  const auto commit = session_->new_upload_commit(in(store_)).value();
  const auto stream = commit->add_stream("stream", {}).value();
  const auto piece = random_bytes(300'000, 2);
  constexpr size_t kWriters = 4;
  constexpr size_t kEach = 5;
  {
    std::vector<std::jthread> writers;
    for (size_t t = 0; t < kWriters; ++t) {
      writers.emplace_back([&] {
        for (size_t i = 0; i < kEach; ++i) EXPECT_THAT(stream->write(piece), IsOk());
      });
    }
  }
  ASSERT_THAT(stream->finish(), IsOk());
  ByteVector all;
  for (size_t i = 0; i < kWriters * kEach; ++i) append_bytes(all, piece);
  EXPECT_EQ(finish(*commit).value().files.at(0).report.hash, hash_of(all)) << "no write is split";
}

TEST_F(UploadStreams, EitherFinishOrAbort) {
  for (int round = 0; round < 30; ++round) {
    const auto commit = session_->new_upload_commit(in(store_)).value();
    const auto stream = commit->add_stream("stream", {}).value();
    ASSERT_THAT(stream->write(random_bytes(1000, 3)), IsOk());
    Status finished;
    {
      std::jthread aborter([&] { stream->abort(); });
      finished = stream->finish();
    }
    ASSERT_EQ(stream->is_finished(), finished.has_value());
    const auto report = finish(*commit);
    ASSERT_EQ(report.has_value(), finished.has_value());
    ASSERT_EQ(stream->result()->has_value(), finished.has_value());
  }
}

/// Writers that wait because the store takes nothing.
class BlockedWriters : public UploadStreams {
 protected:
  void block(size_t n) {
    server_.hold(SlowServer::is_upload);
    commit_ = session_->new_upload_commit(server_.endpoint()).value();
    stream_ = commit_->add_stream("stream", {.sha256 = Sha256Policy::kSkip}).value();
    for (size_t t = 0; t < n; ++t) {
      writers_.emplace_back([this, t] {
        for (uint64_t seed = 0;; ++seed) {
          if (const auto status = stream_->write(random_bytes(4 * kMiB, 1000 * t + seed)); !status) {
            EXPECT_THAT(status, FailsWith(ErrorCode::kCancelled));
            return;
          }
        }
      });
    }
    ASSERT_TRUE(server_.wait_for_held(1));
  }
  void TearDown() override {
    writers_.clear();
    server_.go_on();
    stream_.reset();
    commit_.reset();
    session_.reset();
  }
  SlowServer server_;
  std::shared_ptr<UploadCommit> commit_;
  std::shared_ptr<StreamUpload> stream_;
  std::vector<std::jthread> writers_;
};

TEST_F(BlockedWriters, EndWithTheCommit) {
  block(2);
  commit_->abort();
  writers_.clear();
  EXPECT_EQ(commit_->state(), TaskState::kCancelled);
}

TEST_F(BlockedWriters, EndWithTheSession) {
  block(2);
  session_->abort();
  writers_.clear();
  EXPECT_EQ(commit_->state(), TaskState::kCancelled);
  EXPECT_THAT(*stream_->result(), FailsWith(ErrorCode::kCancelled));
}

TEST_F(BlockedWriters, EndWithTheStream) {
  block(2);
  stream_->abort();
  writers_.clear();
  EXPECT_EQ(commit_->state(), TaskState::kRunning);
  EXPECT_THAT(*stream_->result(), FailsWith(ErrorCode::kCancelled));
}

TEST_F(BlockedWriters, EndWithACommitThatFails) {
  block(1);
  EXPECT_THAT(commit_->begin_finish(), FailsWith(ErrorCode::kInternal));
  writers_.clear();
  EXPECT_EQ(commit_->state(), TaskState::kFailed);
}

// The bytes must stay until nobody reads them any more, whoever else still holds the commit's parts.
TEST_F(UploadStreams, ACommitThatIsAbortedWhileOthersLookKeepsItsBytes) {
  for (int round = 0; round < 10; ++round) {
    const auto commit = session_->new_upload_commit(in(store_)).value();
    const auto stream = commit->add_stream("stream", {}).value();
    std::atomic<bool> over{false};
    std::jthread looker([&] {
      while (!over) {
        (void)commit->progress();
        (void)commit->items();
      }
    });
    std::jthread writer([&] {
      for (uint64_t seed = 0; stream->write(random_bytes(kMiB, seed)); ++seed) {
      }
    });
    for (uint64_t i = 0; i < 8; ++i) {
      commit->add_bytes(random_bytes(4 * kMiB, 100 * static_cast<uint64_t>(round) + i), "bytes", {}).value();
    }
    commit->abort();
    writer.join();
    over = true;
  }
}

}  // namespace
}  // namespace xet
