#include <gtest/gtest.h>

#include "session/pipelines.h"
#include "support/faulty_calls.h"
#include "support/generators.h"
#include "support/matchers.h"
#include "support/temp_dir.h"

namespace xet {
namespace {

using namespace testing;

/// Downloads a file onto one that exists already, with faults of the file system.
class DownloadFaults : public ::testing::Test {
 protected:
  DownloadFaults() { write_bytes(dir_ / "out", before_); }

  Result<DownloadedFile> get() {
    const io::ScopedSystemCalls scope(calls_);
    DownloadSession session(client_, {});
    session.add({.file = file_, .destination = dir_ / "out"});
    return std::move(session.wait().at(0));
  }
  void expect_failure_that_leaves_the_old_file(ErrorCode code = ErrorCode::kIo) {
    EXPECT_THAT(get(), FailsWith(code, (dir_ / "out").string()));
    EXPECT_EQ(read_bytes(dir_ / "out"), before_);
    EXPECT_EQ(names_in(dir_.path()), std::vector<std::string>{"out"});
  }
  void expect_success() {
    EXPECT_THAT(get(), IsOk());
    EXPECT_TRUE(read_bytes(dir_ / "out") == content_);
    EXPECT_EQ(names_in(dir_.path()), std::vector<std::string>{"out"});
  }

  const TempDir dir_;
  const ByteVector before_ = random_bytes(100, 9);
  const std::shared_ptr<FakeCas> cas_ = std::make_shared<FakeCas>();
  const std::shared_ptr<Client> client_ = client_of(cas_);
  const ByteVector content_ = text_bytes(4 * kMiB + 5, 1);
  const FileHash file_ = upload_one(client_, content_).hash;
  FaultyCalls calls_;
};

TEST_F(DownloadFaults, WithoutAnyItIsReplaced) {
  expect_success();
}

TEST_F(DownloadFaults, AFullDiskShowsBeforeAnythingIsFetched) {
  calls_.on_fallocate = [](int) { return ENOSPC; };
  expect_failure_that_leaves_the_old_file(ErrorCode::kNoSpace);
  EXPECT_EQ(cas_->calls(FakeCas::Op::kFetch), 0U);
}

TEST_F(DownloadFaults, AFullDiskInTheMiddle) {
  calls_.on_fallocate = [](int) { return EOPNOTSUPP; };
  calls_.on_pwritev = [&](int, size_t, off_t offset) -> ssize_t {
    return offset > 2'000'000 ? -ENOSPC : FaultyCalls::kAll;
  };
  expect_failure_that_leaves_the_old_file(ErrorCode::kNoSpace);
}

TEST_F(DownloadFaults, WritesThatMakeNoProgress) {
  calls_.on_pwritev = [](int, size_t, off_t) -> ssize_t { return 0; };
  expect_failure_that_leaves_the_old_file();
}

TEST_F(DownloadFaults, AFailingSync) {
  calls_.on_fsync = [](int) { return EIO; };
  expect_failure_that_leaves_the_old_file();
}

TEST_F(DownloadFaults, ShortAndInterruptedWritesAreContinued) {
  calls_.on_pwritev = [&](int, size_t, off_t) -> ssize_t {
    return calls_.n_pwritevs % 3 == 0 ? -EINTR : 1 + static_cast<ssize_t>(calls_.n_pwritevs % 7) * 1000;
  };
  calls_.on_fsync = [&](int) { return calls_.n_fsyncs % 2 == 1 ? EINTR : 0; };
  calls_.on_fallocate = [n = 0](int) mutable { return n++ == 0 ? EINTR : 0; };
  expect_success();
}

TEST_F(DownloadFaults, AByteAtATime) {
  const auto small = random_bytes(100'000, 1);
  const auto file = upload_one(client_, small).hash;
  calls_.on_pwritev = [](int, size_t, off_t) -> ssize_t { return 1; };
  const io::ScopedSystemCalls scope(calls_);
  EXPECT_EQ(download(client_, file).value(), small);
  EXPECT_GE(calls_.n_pwritevs, small.size());
}

TEST_F(DownloadFaults, OneFilesFaultIsNoOthers) {
  std::atomic<int> victim{-1};
  calls_.on_pwritev = [&](int fd, size_t, off_t) -> ssize_t {
    int none = -1;
    victim.compare_exchange_strong(none, fd);
    return fd == victim ? -EIO : FaultyCalls::kAll;
  };
  const io::ScopedSystemCalls scope(calls_);
  DownloadSession session(client_, {});
  for (int i = 0; i < 10; ++i) session.add({.file = file_, .destination = dir_ / std::to_string(i)});
  size_t n_failed = 0;
  for (const auto& result : session.wait()) {
    if (!result) ++n_failed;
  }
  // the descriptor may have been given to a second file when the first was closed
  EXPECT_GE(n_failed, 1U);
  EXPECT_LE(n_failed, 9U);
  EXPECT_EQ(names_in(dir_.path()).size(), 11 - n_failed);
}

TEST_F(DownloadFaults, AStoppedFetchThatWaitedForMemoryDoesNoHarm) {
  // A file fails while its fetches wait for buffers that the fetches of another hold.
  std::vector<ByteVector> chunks(300, random_bytes(100'000, 1));
  const auto large = cas_->add_file(chunks);
  std::vector<FileHash> small;
  for (uint64_t i = 0; i < 20; ++i) small.push_back(cas_->add_file({random_bytes(70'000 + i, i)}));
  for (uint64_t round = 0; round < 20; ++round) {
    SplitMix64 random(round);
    cas_->script_fetch([&, n = 0](size_t, const auto&) mutable {
      FetchScript script{.piece_bytes = 300'000};
      if (++n % 3 == 0) {
        script.stop_after_bytes = random.below(60'000);
        script.outcome = fail(ErrorCode::kUnavailable, "away");
      }
      return script;
    });
    DownloadSession session(client_, {});
    size_t n_files = 0;
    const auto add = [&](const FileHash& file) {
      session.add({.file = file, .destination = dir_ / std::to_string(n_files++)});
    };
    for (int i = 0; i < 4; ++i) add(large);
    for (const auto& file : small) add(file);
    for (const auto& result : session.wait()) {
      if (!result) {
        EXPECT_THAT(result, FailsWith(ErrorCode::kUnavailable));
      }
    }
  }
}

}  // namespace
}  // namespace xet
