#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "libxet/session_support.h"

namespace xet {
namespace {

using namespace std::chrono_literals;
using namespace testing;

class ProgressOfGroups : public NothingLeft {
 protected:
  void TearDown() override {
    session_.reset();
    NothingLeft::TearDown();
  }
  const TempDir store_;
  const TempDir dir_;
  std::shared_ptr<Session> session_ = make_session();
};

void expect_never_beyond(const Progress& progress, const std::vector<ItemProgress>& items) {
  EXPECT_LE(progress.done_bytes, progress.total_bytes);
  EXPECT_LE(progress.done_new_bytes, progress.total_new_bytes);
  EXPECT_LE(progress.done_files, progress.total_files);
  EXPECT_LE(progress.shards.done, progress.shards.total);
  EXPECT_LE(progress.shards.sent_bytes, progress.shards.total_bytes);
  EXPECT_LE(progress.shards.verified_entries, progress.shards.total_entries);
  for (const auto& item : items) EXPECT_LE(item.done_bytes, item.total_bytes) << item.name;
}

void expect_all_done(const Progress& progress, const std::vector<ItemProgress>& items) {
  EXPECT_EQ(progress.done_bytes, progress.total_bytes);
  EXPECT_EQ(progress.done_new_bytes, progress.total_new_bytes);
  EXPECT_EQ(progress.done_files, progress.total_files);
  EXPECT_EQ(progress.shards.done, progress.shards.total);
  uint64_t total = 0;
  for (const auto& item : items) {
    EXPECT_EQ(item.done_bytes, item.total_bytes) << item.name;
    total += item.total_bytes;
  }
  EXPECT_EQ(progress.total_bytes, total);
}

/// Every snapshot that a thread can get while it runs.
template <class Group>
class Looker {
 public:
  explicit Looker(Group& group)
      : thread_([this, &group] {
          Progress last;
          while (!over_) {
            const auto progress = group.progress();
            expect_never_beyond(progress, group.items());
            EXPECT_GE(progress.done_bytes, last.done_bytes);
            EXPECT_GE(progress.total_bytes, last.total_bytes);
            last = progress;
          }
        }) {}
  ~Looker() { over_ = true; }

 private:
  std::atomic<bool> over_{false};
  std::jthread thread_;
};

TEST_F(ProgressOfGroups, OfAnUploadEndsEqualToItsTotals) {
  Reports reports;
  const auto content = random_bytes(20 * kMiB, 1);
  write_bytes(dir_ / "file", content);
  const auto commit = session_->new_upload_commit(in(store_), reports.every(1ms)).value();
  {
    const Looker looker(*commit);
    commit->add_file(dir_ / "file", {}).value();
    commit->add_bytes(random_bytes(5 * kMiB, 2), "bytes", {}).value();
    commit->add_bytes(content, "again", {}).value();
    const auto stream = commit->add_stream("stream", {}).value();
    for (uint64_t i = 0; i < 10; ++i) ASSERT_THAT(stream->write(random_bytes(700'000, 10 + i)), IsOk());
    ASSERT_THAT(stream->finish(), IsOk());
    ASSERT_THAT(finish(*commit), IsOk());
  }
  const auto progress = commit->progress();
  expect_all_done(progress, commit->items());
  EXPECT_EQ(progress.total_files, 4U);
  EXPECT_EQ(progress.total_bytes, 45 * kMiB + 7'000'000);
  EXPECT_EQ(progress.total_new_bytes, 25 * kMiB + 7'000'000);
  EXPECT_EQ(progress.shards.done, 1U);
  EXPECT_EQ(progress.shards.synced, 1U);
  EXPECT_GT(progress.shards.total_bytes, 0U);
  EXPECT_EQ(progress.shards.sent_bytes, progress.shards.total_bytes);
  EXPECT_EQ(progress.shards.verified_entries, progress.shards.total_entries);
  EXPECT_EQ(commit->result().value().progress.done_bytes, progress.done_bytes);
  for (const auto& snapshot : reports.seen()) expect_never_beyond(snapshot.progress, snapshot.items);
}

TEST_F(ProgressOfGroups, OfADownloadEndsEqualToItsTotals) {
  const auto files =
      put(*session_, in(store_), {random_bytes(20 * kMiB, 3), random_bytes(100, 4), ByteVector(9 * kMiB), {}})
          .files;
  for (const bool knows_size : {true, false}) {
    Reports reports;
    const auto group = session_->new_file_download_group(in(store_), reports.every(1ms)).value();
    {
      const Looker looker(*group);
      for (const auto& file : files) {
        FileToDownload asked{.hash = file.report.hash.hex()};
        if (knows_size) asked.size_bytes = file.report.size_bytes;
        group->add_file(asked, dir_ / std::to_string(file.id)).value();
      }
      ASSERT_THAT(finish(*group), IsOk());
    }
    const auto report = group->result().value();
    expect_all_done(group->progress(), group->items());
    EXPECT_EQ(report.progress.total_bytes, 29 * kMiB + 100);
    for (size_t i = 0; i < files.size(); ++i) {
      EXPECT_EQ(report.files[i].progress.done_bytes, files[i].report.size_bytes);
      EXPECT_EQ(group->items()[i].total_bytes, files[i].report.size_bytes);
    }
    for (const auto& snapshot : reports.seen()) expect_never_beyond(snapshot.progress, snapshot.items);
  }
}

TEST_F(ProgressOfGroups, StaysAfterAnAbort) {
  const auto commit = session_->new_upload_commit(in(store_)).value();
  const auto file = commit->add_bytes(random_bytes(kMiB, 5), "bytes", {}).value();
  ASSERT_TRUE(file->wait_for(kLong));
  std::vector<std::jthread> lookers;
  std::atomic<bool> over{false};
  lookers.emplace_back([&] {
    while (!over) EXPECT_EQ(commit->progress().total_bytes, kMiB);
  });
  commit->abort();
  over = true;
  EXPECT_EQ(commit->progress().done_bytes, kMiB);
}

// --- Reports

using ReportsOfGroups = ProgressOfGroups;

TEST_F(ReportsOfGroups, BeginAfterOneInterval) {
  Reports reports;
  const auto begun = std::chrono::steady_clock::now();
  const auto commit = session_->new_upload_commit(in(store_), reports.every(30ms)).value();
  ASSERT_TRUE(reports.wait_for(2));
  commit->abort();
  EXPECT_GE(reports.seen().front().when - begun, 30ms);
  EXPECT_GE(reports.seen()[1].when - begun, 60ms);
}

TEST_F(ReportsOfGroups, EndWithTheGroup) {
  std::atomic<bool> over{false};
  std::atomic<bool> late{false};
  const auto note = [&] {
    late = late || over;
    return true;
  };
  for (int round = 0; round < 20; ++round) {
    over = false;
    Reports reports(note);
    const auto commit = session_->new_upload_commit(in(store_), reports.every(1ms)).value();
    const auto group = session_->new_file_download_group(in(store_), reports.every(1ms)).value();
    ASSERT_TRUE(reports.wait_for(2));
    if (round % 2 == 0) {
      ASSERT_THAT(finish(*commit), IsOk());
      ASSERT_THAT(finish(*group), IsOk());
    } else {
      commit->abort();
      group->abort();
    }
    over = true;
    ASSERT_TRUE(has_threads(0)) << "nobody is there to report";
  }
  EXPECT_FALSE(late);
}

TEST_F(ReportsOfGroups, EndWhenTheyAreNotWanted) {
  Reports reports([] { return false; });
  const auto commit = session_->new_upload_commit(in(store_), reports.every(1ms)).value();
  ASSERT_TRUE(reports.wait_for(1));
  commit->add_bytes(random_bytes(3 * kMiB, 6), "bytes", {}).value();
  ASSERT_THAT(finish(*commit), IsOk());
  EXPECT_EQ(reports.seen().size(), 1U);
}

TEST_F(ReportsOfGroups, DoNotComeTwiceAtOnce) {
  std::atomic<int> inside{0};
  Reports reports([&] {
    EXPECT_EQ(++inside, 1);
    std::this_thread::yield();
    --inside;
    return true;
  });
  const auto commit = session_->new_upload_commit(in(store_), reports.every(1ms)).value();
  ASSERT_TRUE(reports.wait_for(5));
  commit->abort();
}

TEST_F(ReportsOfGroups, MayAbortTheirGroup) {
  for (int round = 0; round < 10; ++round) {
    Sync<std::shared_ptr<UploadCommit>> commit;
    Gate known;
    Reports reports([&] {
      known.wait();
      auto mine = *commit.lock();
      mine->abort();
      EXPECT_EQ(mine->state(), TaskState::kCancelled);
      return true;
    });
    *commit.lock() = session_->new_upload_commit(in(store_), reports.every(1ms)).value();
    const auto mine = *commit.lock();
    const auto file = mine->add_bytes(random_bytes(kMiB, 7), "bytes", {}).value();
    if (round % 2 == 0) {
      ASSERT_THAT(mine->begin_finish(), IsOk());
    }
    known.open();
    ASSERT_TRUE(mine->wait_for(kLong));
    if (round % 2 == 1) {
      EXPECT_EQ(mine->state(), TaskState::kCancelled);
    }
    ASSERT_TRUE(file->wait_for(kLong));
    EXPECT_TRUE(has_threads(0)) << "though the commit is there";
    EXPECT_LE(reports.seen().size(), 1U);
    mine->abort();
  }
}

TEST_F(ReportsOfGroups, MayAbortTheSession) {
  Reports reports([&] {
    session_->abort();
    return true;
  });
  const auto group = session_->new_file_download_group(in(store_), reports.every(1ms)).value();
  ASSERT_TRUE(group->wait_for(kLong));
  EXPECT_EQ(group->state(), TaskState::kCancelled);
  EXPECT_TRUE(has_threads(0));
  EXPECT_EQ(reports.seen().size(), 1U);
}

TEST_F(ReportsOfGroups, MayDropTheirGroup) {
  for (int round = 0; round < 10; ++round) {
    Sync<std::shared_ptr<UploadCommit>> commit;
    Sync<std::shared_ptr<FileDownloadGroup>> group;
    Gate known;
    std::atomic<int> n_dropped{0};
    const auto drop = [&](auto& holder) {
      known.wait();
      auto dropped = std::exchange(*holder.lock(), nullptr);
      n_dropped += dropped != nullptr ? 1 : 0;
      dropped.reset();
      return true;
    };
    Reports of_commit([&] { return drop(commit); });
    Reports of_group([&] { return drop(group); });
    *commit.lock() = session_->new_upload_commit(in(store_), of_commit.every(1ms)).value();
    (*commit.lock())->add_bytes(random_bytes(kMiB, 8), "bytes", {}).value();
    if (round % 2 == 0) {
      ASSERT_THAT((*commit.lock())->begin_finish(), IsOk());
    }
    *group.lock() = session_->new_file_download_group(in(store_), of_group.every(1ms)).value();
    known.open();
    ASSERT_TRUE(has_threads(0)) << "they end without anybody who has them";
    EXPECT_LE(of_commit.seen().size(), 1U);
    EXPECT_EQ(of_group.seen().size(), 1U);
    EXPECT_GE(n_dropped, 1);
  }
}

}  // namespace
}  // namespace xet
