#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "libxet/session_support.h"

namespace xet {
namespace {

using namespace std::chrono_literals;
using namespace testing;

/// Ends that come from several sides at once, at any moment.
class Aborts : public NothingLeft {
 protected:
  void TearDown() override {
    session_.reset();
    NothingLeft::TearDown();
  }
  const TempDir store_;
  const TempDir dir_;
  std::shared_ptr<Session> session_ = make_session();
};

TEST_F(Aborts, OfASessionEndsAllThatItHas) {
  SlowServer server;
  const auto hash = server.add(random_bytes(3 * kMiB, 1));
  const auto running = session_->new_upload_commit(server.endpoint()).value();
  const auto open_stream = running->add_stream("stream", {}).value();
  const auto finishing = session_->new_upload_commit(server.endpoint()).value();
  server.hold(
      [](const auto& exchange) { return SlowServer::is_data(exchange) || SlowServer::is_upload(exchange); });
  finishing->add_bytes(random_bytes(kMiB, 2), "bytes", {}).value();
  ASSERT_THAT(finishing->begin_finish(), IsOk());
  const auto group = session_->new_file_download_group(server.endpoint()).value();
  const auto file = group->add_file({.hash = hash.hex()}, dir_ / "file").value();
  const auto streams = session_->new_download_stream_group(server.endpoint()).value();
  const auto stream = streams->stream({.hash = hash.hex()}, {}, {}).value();
  DownloadStream::Piece piece;
  EXPECT_EQ(stream->next_for(0ms, piece).value(), DownloadStream::Wait::kNotYet);
  ASSERT_TRUE(server.wait_for_held(3));

  EXPECT_FALSE(session_->is_aborted());
  session_->abort();
  session_->abort();
  EXPECT_TRUE(session_->is_aborted());
  for (const auto* commit : {running.get(), finishing.get()}) {
    EXPECT_EQ(commit->state(), TaskState::kCancelled);
    EXPECT_TRUE(commit->wait_for(0ms));
    EXPECT_THAT(commit->result(), FailsWith(ErrorCode::kCancelled));
  }
  EXPECT_THAT(running->add_bytes({}, "late", {}), FailsWith(ErrorCode::kCancelled));
  EXPECT_THAT(running->begin_finish(), FailsWith(ErrorCode::kCancelled));
  EXPECT_FALSE(open_stream->write(random_bytes(3 * kMiB, 3)).has_value());
  EXPECT_THAT(*open_stream->result(), FailsWith(ErrorCode::kCancelled));
  EXPECT_EQ(group->state(), TaskState::kCancelled);
  EXPECT_THAT(*file->result(), FailsWith(ErrorCode::kCancelled));
  EXPECT_EQ(stream->next_for(kLong, piece).value(), DownloadStream::Wait::kEnd);
  EXPECT_THAT(streams->stream({.hash = hash.hex()}, {}, {}), FailsWith(ErrorCode::kCancelled));
  for (const auto& endpoint : {in(store_), server.endpoint()}) {
    EXPECT_THAT(session_->new_upload_commit(endpoint), FailsWith(ErrorCode::kCancelled));
    EXPECT_THAT(session_->new_file_download_group(endpoint), FailsWith(ErrorCode::kCancelled));
    EXPECT_THAT(session_->new_download_stream_group(endpoint), FailsWith(ErrorCode::kCancelled));
  }
  server.go_on();
  running->abort();
  finishing->abort();
  group->abort();
}

TEST_F(Aborts, OfACommitMayMeetEverythingElse) {
  for (int round = 0; round < 40; ++round) {
    Reports reports;
    auto commit = session_->new_upload_commit(in(store_), reports.every(1ms)).value();
    auto stream = commit->add_stream("stream", {}).value();
    {
      std::vector<std::jthread> threads;
      const auto later = [&](int after, auto work) {
        threads.emplace_back([after, work] {
          for (int i = 0; i < after; ++i) std::this_thread::yield();
          work();
        });
      };
      later(0, [&] {
        for (uint64_t i = 0; i < 20; ++i) {
          if (!commit->add_bytes(random_bytes(20'000, i), "bytes", {})) return;
        }
      });
      later(0, [&] {
        if (stream->write(random_bytes(3 * kMiB, 9))) (void)stream->finish();
      });
      later(round, [&] { (void)commit->begin_finish(); });
      later(2 * round, [&] { commit->abort(); });
      later(3 * round, [&] { (void)commit->begin_finish(); });
      if (round % 2 == 0) later(2 * round, [&] { commit->abort(); });
      later(round, [&] { (void)commit->items(), (void)commit->progress(), (void)commit->wait_for(1ms); });
    }
    ASSERT_TRUE(commit->wait_for(kLong));
    EXPECT_EQ(commit->result().has_value(), commit->state() == TaskState::kCompleted);
    ASSERT_TRUE(stream->wait_for(kLong));
    if (round % 3 == 0) stream.reset();
    commit.reset();
  }
}

TEST_F(Aborts, OfADownloadMayMeetEverythingElse) {
  std::vector<ByteVector> contents;
  for (uint64_t i = 0; i < 5; ++i) contents.push_back(random_bytes(i % 2 == 0 ? 5000 : 3 * kMiB, i));
  const auto files = put(*session_, in(store_), contents).files;
  for (int round = 0; round < 40; ++round) {
    Reports reports;
    auto group = session_->new_file_download_group(in(store_), reports.every(1ms)).value();
    {
      std::vector<std::jthread> threads;
      const auto later = [&](int after, auto work) {
        threads.emplace_back([after, work] {
          for (int i = 0; i < after; ++i) std::this_thread::yield();
          work();
        });
      };
      later(0, [&] {
        for (size_t i = 0; i < 20; ++i) {
          const auto file =
              group->add_file({.hash = files[i % files.size()].report.hash.hex()}, dir_ / std::to_string(i));
          if (!file) return;
          if (i % 3 == 0) (*file)->cancel();
        }
      });
      later(round, [&] { (void)group->begin_finish(); });
      later(2 * round, [&] { group->abort(); });
      later(3 * round, [&] { (void)group->begin_finish(); });
      if (round % 2 == 0) later(2 * round, [&] { group->abort(); });
      later(round, [&] { (void)group->items(), (void)group->progress(), (void)group->wait_for(1ms); });
    }
    ASSERT_TRUE(group->wait_for(kLong));
    EXPECT_EQ(group->result().has_value(), group->state() == TaskState::kCompleted);
  }
}

TEST_F(Aborts, OfASessionMayMeetEverythingElse) {
  const auto file = put_one(*session_, in(store_), random_bytes(3 * kMiB, 10));
  for (int round = 0; round < 20; ++round) {
    const auto session = make_session();
    Reports reports;
    std::vector<std::jthread> threads;
    threads.emplace_back([&] {
      const auto commit = session->new_upload_commit(in(store_), reports.every(1ms));
      if (!commit) {
        EXPECT_THAT(commit, FailsWith(ErrorCode::kCancelled));
        return;
      }
      (void)(*commit)->add_bytes(random_bytes(3 * kMiB, 11), "bytes", {});
      if ((*commit)->begin_finish()) {
        EXPECT_TRUE((*commit)->wait_for(kLong));
      }
    });
    threads.emplace_back([&] {
      const auto group = session->new_file_download_group(in(store_), reports.every(1ms));
      if (!group) {
        EXPECT_THAT(group, FailsWith(ErrorCode::kCancelled));
        return;
      }
      (void)(*group)->add_file(file, dir_ / "file");
      if ((*group)->begin_finish()) {
        EXPECT_TRUE((*group)->wait_for(kLong));
      }
    });
    threads.emplace_back([&] {
      const auto group = session->new_download_stream_group(in(store_));
      if (!group) {
        EXPECT_THAT(group, FailsWith(ErrorCode::kCancelled));
        return;
      }
      const auto stream = (*group)->stream(file, {}, {});
      if (stream) (void)read_all(**stream);
    });
    for (int i = 0; i < round * 20; ++i) std::this_thread::yield();
    session->abort();
    threads.clear();
  }
}

TEST_F(Aborts, OfStreamsMayMeetEverythingElse) {
  const auto file = put_one(*session_, in(store_), random_bytes(10 * kMiB, 12));
  for (int round = 0; round < 20; ++round) {
    const auto group = session_->new_download_stream_group(in(store_)).value();
    std::vector<std::jthread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&, i] {
        auto stream = group->stream(file, {}, {});
        if (!stream) return;
        std::jthread canceller([&, i] {
          for (int k = 0; k < round * 10 * i; ++k) std::this_thread::yield();
          if (i > 0) (*stream)->cancel();
        });
        (void)read_all(**stream);
      });
    }
    for (int i = 0; i < round * 20; ++i) std::this_thread::yield();
    if (round % 2 == 0) {
      group->abort();
    } else {
      (void)group->finish();
    }
    threads.clear();
  }
}

}  // namespace
}  // namespace xet
