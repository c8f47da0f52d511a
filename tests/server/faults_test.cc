#include <gtest/gtest.h>
#include <sys/uio.h>

#include <atomic>
#include <cerrno>

#include "io/file.h"
#include "server/sample_store.h"
#include "support/generators.h"
#include "support/matchers.h"
#include "support/temp_dir.h"

namespace xet::testing {
namespace {

/// System calls that fail or do less on demand. Counts from 1.
class FaultyCalls final : public io::SystemCalls {
 public:
  ssize_t pwritev(int fd, const ::iovec* pieces, int n_pieces, off_t offset) override {
    const int n = ++writes;
    if (n == fail_write) {
      errno = ENOSPC;
      return -1;
    }
    if (!short_calls) return SystemCalls::pwritev(fd, pieces, n_pieces, offset);
    if (n % 5 == 0) {
      errno = EINTR;
      return -1;
    }
    const ::iovec part{pieces[0].iov_base,
                       std::min<size_t>(pieces[0].iov_len, 1 + static_cast<size_t>(n) % 300)};
    return SystemCalls::pwritev(fd, &part, 1, offset);
  }
  ssize_t pread(int fd, void* buffer, size_t n, off_t offset) override {
    const int count = ++reads;
    if (count == fail_read) {
      errno = EIO;
      return -1;
    }
    if (!short_calls) return SystemCalls::pread(fd, buffer, n, offset);
    return SystemCalls::pread(fd, buffer, std::min<size_t>(n, 1 + static_cast<size_t>(count) % 300), offset);
  }
  int fsync(int fd) override {
    if (++syncs == fail_sync) {
      errno = EIO;
      return -1;
    }
    return SystemCalls::fsync(fd);
  }

  std::atomic<int> writes{0}, reads{0}, syncs{0};  // called from the store's threads
  std::atomic<int> fail_write{0}, fail_read{0}, fail_sync{0};
  std::atomic<bool> short_calls{false};
};

class Faults : public ::testing::Test {
 protected:
  FaultyCalls calls_;
  const io::ScopedSystemCalls scope_{calls_};
  const TempDir dir_;
  const SampleXorb xorb_ = make_xorb(30, 1);
  const format::FileRecord file_ = make_file({{&xorb_, 0, 30}});
};

TEST_F(Faults, ShortAndInterruptedCallsChangeNothing) {
  const auto cas = open_store(dir_.path());
  Store store(*cas);
  calls_.short_calls = true;
  ASSERT_THAT(store.put_xorb(xorb_), IsOk());
  ASSERT_THAT(store.put_shard(make_shard({file_}, {&xorb_})), IsOk());
  EXPECT_EQ(*store.read(file_.hash), content_of({{&xorb_, 0, 30}}));
}

TEST_F(Faults, AFullDiskLeavesNothingAndTheNextTryWorks) {
  const auto cas = open_store(dir_.path());
  Store store(*cas);
  for (int nth = 1;; ++nth) {
    calls_.fail_write = calls_.writes + nth;
    const auto put = store.put_xorb(xorb_);
    if (put) break;
    EXPECT_THAT(put, FailsWith(ErrorCode::kNoSpace, "space"));
    EXPECT_TRUE(objects_in(dir_.path()).empty());
    EXPECT_FALSE(*store.xorb_exists(xorb_.hash));
    ASSERT_LT(nth, 20);
  }
  calls_.fail_write = calls_.writes + 1;
  const auto before = objects_in(dir_.path());
  EXPECT_THAT(store.put_shard(make_shard({file_}, {})), FailsWith(ErrorCode::kNoSpace, "space"));
  EXPECT_EQ(objects_in(dir_.path()), before);
  EXPECT_THAT(store.file_size(file_.hash), FailsWith(ErrorCode::kNotFound));
  EXPECT_THAT(store.put_shard(make_shard({file_}, {})), IsOk());
  EXPECT_EQ(*store.read(file_.hash), content_of({{&xorb_, 0, 30}}));
}

TEST_F(Faults, AfterAFailedSyncTheStoreOnlyReads) {
  const auto second = make_xorb(3, 9);
  for (int nth = 1; nth <= 3; ++nth) {  // the file, the folder's parent, the folder
    const TempDir dir;
    const auto cas = open_store(dir.path());
    Store store(*cas);
    ASSERT_THAT(store.put_xorb(xorb_), IsOk());
    ASSERT_THAT(store.put_shard(make_shard({file_}, {&xorb_})), IsOk());

    calls_.fail_sync = calls_.syncs + nth;
    EXPECT_THAT(store.put_xorb(second), FailsWith(ErrorCode::kIo));
    EXPECT_FALSE(*store.xorb_exists(second.hash));
    EXPECT_THAT(store.put_xorb(second), FailsWith(ErrorCode::kIo, "read-only"));
    EXPECT_THAT(store.put_shard(make_shard({}, {&xorb_})), FailsWith(ErrorCode::kIo, "read-only"));
    EXPECT_EQ(*store.read(file_.hash), content_of({{&xorb_, 0, 30}}));

    const auto again = open_store(dir.path());
    EXPECT_THAT(Store(*again).put_xorb(second), IsOk());
    EXPECT_EQ(*Store(*again).fetch(second.hash, {.chunks = {0, 3}, .bytes = {0, second.body.size()}}),
              second.body);
  }
}

TEST_F(Faults, AFailingReadIsAnError) {
  const auto cas = open_store(dir_.path());
  Store store(*cas);
  ASSERT_THAT(store.put_xorb(xorb_), IsOk());
  calls_.fail_read = calls_.reads + 1;
  EXPECT_THAT(store.put_shard(make_shard({file_}, {&xorb_})), FailsWith(ErrorCode::kIo));
  calls_.fail_read = calls_.reads + 1;
  EXPECT_THAT(store.fetch(xorb_.hash, {.chunks = {0, 1}, .bytes = {0, 20}}), FailsWith(ErrorCode::kIo));
  EXPECT_THAT(store.put_shard(make_shard({file_}, {&xorb_})), IsOk());
}

}  // namespace
}  // namespace xet::testing
