#include "io/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <climits>

#include "support/faulty_calls.h"
#include "support/generators.h"
#include "support/matchers.h"
#include "support/temp_dir.h"

namespace xet::io {
namespace {

using namespace testing;

File new_file(const std::filesystem::path& path) {
  auto file = File::create_new(path);
  if (!file) throw std::runtime_error(file.error().message);
  return std::move(*file);
}

TEST(File, OpeningAMissingOneIsNotFoundAndNamesIt) {
  const TempDir dir;
  EXPECT_THAT(File::open_read(dir / "missing"), FailsWith(ErrorCode::kNotFound, (dir / "missing").string()));
}

TEST(File, CreatesOnlyWhatIsNotThere) {
  const TempDir dir;
  EXPECT_THAT(File::create_new(dir / "file"), IsOk());
  EXPECT_THAT(File::create_new(dir / "file"), FailsWith(ErrorCode::kIo, "file"));
  EXPECT_THAT(File::create_new(dir / "no" / "file"), FailsWith(ErrorCode::kNotFound));
}

TEST(File, InfoTellsSizeAndIdentity) {
  const TempDir dir;
  write_bytes(dir / "file", random_bytes(1234, 1));
  const auto info = File::open_read(dir / "file")->info();
  ASSERT_THAT(info, IsOk());
  EXPECT_EQ(info->size_bytes, 1234U);
  EXPECT_TRUE(info->is_regular);
  write_bytes(dir / "other", random_bytes(1234, 1));
  EXPECT_NE(File::open_read(dir / "other")->info()->inode, info->inode);
  EXPECT_FALSE(File::open_read(dir.path())->info()->is_regular);
}

TEST(File, MovesKeepTheDescriptorOnce) {
  const TempDir dir;
  auto file = new_file(dir / "file");
  const int fd = file.fd();
  File moved = std::move(file);
  EXPECT_EQ(moved.fd(), fd);
  EXPECT_FALSE(file.is_open());
  file = std::move(moved);
  EXPECT_EQ(file.fd(), fd);
  EXPECT_THAT(file.close(), IsOk());
  EXPECT_THAT(file.close(), IsOk());
  EXPECT_FALSE(file.is_open());
}

TEST(File, ReadsAtPositionsUpToTheEnd) {
  const TempDir dir;
  const auto content = random_bytes(10'000, 1);
  write_bytes(dir / "file", content);
  const auto file = File::open_read(dir / "file");
  ByteVector into(4000);
  EXPECT_EQ(file->read_at(9000, into).value(), 1000U);
  EXPECT_EQ(file->read_at(10'000, into).value(), 0U);
  EXPECT_EQ(file->read_at(20'000, into).value(), 0U);
  EXPECT_THAT(file->read_exactly_at(9000, into), FailsWith(ErrorCode::kCorruption, "10000"));
  ASSERT_THAT(file->read_exactly_at(1000, into), IsOk());
  EXPECT_TRUE(std::ranges::equal(into, ByteSpan(content).subspan(1000, 4000)));
  EXPECT_THAT(file->read_at(UINT64_MAX, into), FailsWith(ErrorCode::kIo));
}

TEST(File, ShortAndInterruptedReadsAreContinued) {
  const TempDir dir;
  const auto content = random_bytes(500, 1);
  write_bytes(dir / "file", content);
  FaultyCalls calls;
  calls.on_pread = [&](int, size_t, off_t) -> ssize_t { return calls.n_preads % 3 == 0 ? -EINTR : 1; };
  calls.on_read = [n = 0](int, size_t) mutable -> ssize_t { return ++n % 2 == 1 ? -EINTR : 10; };
  const ScopedSystemCalls scope(calls);
  const auto file = File::open_read(dir / "file");
  ByteVector into(500);
  EXPECT_THAT(file->read_exactly_at(0, into), IsOk());
  EXPECT_EQ(into, content);
  EXPECT_EQ(file->read_once(into).value(), std::optional<size_t>(10));
}

TEST(File, AFailingReadNamesTheFile) {
  const TempDir dir;
  write_bytes(dir / "file", random_bytes(500, 1));
  FaultyCalls calls;
  calls.on_pread = [](int, size_t, off_t) -> ssize_t { return -EIO; };
  const ScopedSystemCalls scope(calls);
  ByteVector into(500);
  EXPECT_THAT(File::open_read(dir / "file")->read_at(0, into),
              FailsWith(ErrorCode::kIo, (dir / "file").string()));
}

class FileWrite : public ::testing::TestWithParam<ssize_t> {};  // most bytes per call
INSTANTIATE_TEST_SUITE_P(BytesPerCall, FileWrite, ::testing::Values(1, 7, 4096, FaultyCalls::kAll));

TEST_P(FileWrite, ManyPiecesOfAnySizeArriveInOrder) {
  const TempDir dir;
  FaultyCalls calls;
  calls.on_pwritev = [&](int, size_t, off_t) -> ssize_t {
    return calls.n_pwritevs % 5 == 0 ? -EINTR : GetParam();
  };
  const ScopedSystemCalls scope(calls);
  const auto content = random_bytes(20'000, 1);
  // more pieces than one call takes, empty ones among them also at the ends
  std::vector<ByteSpan> pieces(3);
  SplitMix64 random(1);
  for (size_t at = 0; at < content.size();) {
    const size_t n = std::min<size_t>(random.below(6), content.size() - at);
    pieces.push_back(ByteSpan(content).subspan(at, n));
    at += n;
  }
  pieces.resize(pieces.size() + 2);
  ASSERT_GT(pieces.size(), static_cast<size_t>(IOV_MAX));
  const auto file = new_file(dir / "file");
  ASSERT_THAT(file.write_at(100, pieces), IsOk());
  ASSERT_THAT(file.write_at(0, ByteSpan(content).first(100)), IsOk());
  auto expected = ByteVector(content.begin(), content.begin() + 100);
  append_bytes(expected, content);
  EXPECT_EQ(read_bytes(dir / "file"), expected);
}

TEST(File, WritingNothingMakesNoCall) {
  const TempDir dir;
  FaultyCalls calls;
  const ScopedSystemCalls scope(calls);
  const auto file = new_file(dir / "file");
  EXPECT_THAT(file.write_at(0, ByteSpan()), IsOk());
  EXPECT_THAT(file.write_at(0, std::span<const ByteSpan>()), IsOk());
  EXPECT_EQ(calls.n_pwritevs, 0U);
}

TEST(File, AFullDiskOrNoProgressIsAnErrorThatNamesTheFile) {
  const TempDir dir;
  FaultyCalls calls;
  ssize_t outcome = -ENOSPC;
  calls.on_pwritev = [&](int, size_t, off_t) { return outcome; };
  calls.on_fallocate = [](int) { return ENOSPC; };
  const ScopedSystemCalls scope(calls);
  const auto file = new_file(dir / "file");
  const auto content = random_bytes(100, 1);
  EXPECT_THAT(file.write_at(0, content), FailsWith(ErrorCode::kNoSpace, (dir / "file").string()));
  outcome = -EDQUOT;
  EXPECT_THAT(file.write_at(0, content), FailsWith(ErrorCode::kNoSpace, (dir / "file").string()));
  outcome = 0;
  EXPECT_THAT(file.write_at(0, content), FailsWith(ErrorCode::kIo, (dir / "file").string()));
  EXPECT_THAT(file.reserve(1000), FailsWith(ErrorCode::kNoSpace, (dir / "file").string()));
}

TEST(File, ReservesSpaceWithoutTouchingContent) {
  const TempDir dir;
  const auto file = new_file(dir / "file");
  const auto content = random_bytes(100, 1);
  ASSERT_THAT(file.write_at(0, content), IsOk());
  ASSERT_THAT(file.reserve(5000), IsOk());
  ASSERT_THAT(file.reserve(0), IsOk());
  ASSERT_THAT(file.truncate(100), IsOk());
  EXPECT_EQ(read_bytes(dir / "file"), content);
}

TEST(File, ReservingIsOnlyAHintWhereTheFileSystemCannot) {
  const TempDir dir;
  FaultyCalls calls;
  int n_interrupted = 0;
  calls.on_fallocate = [&](int) { return n_interrupted++ == 0 ? EINTR : EOPNOTSUPP; };
  const ScopedSystemCalls scope(calls);
  const auto file = new_file(dir / "file");
  EXPECT_THAT(file.reserve(1000), IsOk());
  EXPECT_EQ(n_interrupted, 2);
  // Emulating it, as the C library does, would write beside the threads that write already.
  EXPECT_EQ(file.info()->size_bytes, 0U);
}

TEST(File, AnInterruptedSyncIsDoneAgainAndAFailedOneIsNot) {
  const TempDir dir;
  FaultyCalls calls;
  calls.on_fsync = [&](int) { return calls.n_fsyncs == 1 ? EINTR : 0; };
  const ScopedSystemCalls scope(calls);
  const auto file = new_file(dir / "file");
  EXPECT_THAT(file.sync(), IsOk());
  EXPECT_EQ(calls.n_fsyncs, 2U);
  calls.on_fsync = [](int) { return EIO; };
  EXPECT_THAT(file.sync(), FailsWith(ErrorCode::kIo, (dir / "file").string()));
  EXPECT_EQ(calls.n_fsyncs, 3U);  // after a failure the kernel has dropped the pages: a second try would lie
  EXPECT_THAT(sync_directory(dir.path()), FailsWith(ErrorCode::kIo, dir.path().string()));
}

TEST(ReadFile, RefusesWhatIsTooLarge) {
  const TempDir dir;
  const auto content = random_bytes(100, 1);
  write_bytes(dir / "file", content);
  EXPECT_EQ(read_file(dir / "file", 100).value(), content);
  EXPECT_THAT(read_file(dir / "file", 99), FailsWith(ErrorCode::kCorruption));
  EXPECT_THAT(read_file(dir / "missing", 99), FailsWith(ErrorCode::kNotFound));
}

TEST(RemoveFile, IsContentWhenThereIsNone) {
  const TempDir dir;
  write_bytes(dir / "file", {});
  EXPECT_THAT(remove_file(dir / "file"), IsOk());
  EXPECT_THAT(remove_file(dir / "file"), IsOk());
  EXPECT_THAT(remove_file(dir.path()), FailsWith(ErrorCode::kIo));
}

TEST(CreateDirectories, SaysWhyItCannot) {
  const TempDir dir;
  EXPECT_THAT(io::create_directories(dir / "a" / "b"), IsOk());
  EXPECT_THAT(io::create_directories(dir / "a" / "b"), IsOk());
  write_bytes(dir / "file", {});
  EXPECT_THAT(io::create_directories(dir / "file" / "b"), FailsWith(ErrorCode::kIo, "file"));
}

TEST(MappedFile, ShowsTheBytesOfTheFile) {
  const TempDir dir;
  const auto content = random_bytes(10'000, 1);
  write_bytes(dir / "file", content);
  auto mapped = MappedFile::open(dir / "file");
  ASSERT_THAT(mapped, IsOk());
  EXPECT_TRUE(std::ranges::equal(mapped->bytes(), content));
  const MappedFile moved = std::move(*mapped);
  EXPECT_TRUE(mapped->bytes().empty());
  std::filesystem::remove(dir / "file");  // the map stays
  EXPECT_TRUE(std::ranges::equal(moved.bytes(), content));
}

TEST(MappedFile, AnEmptyFileIsAnEmptyMapAndADirectoryAnError) {
  const TempDir dir;
  write_bytes(dir / "file", {});
  EXPECT_TRUE(MappedFile::open(dir / "file")->bytes().empty());
  EXPECT_THAT(MappedFile::open(dir / "missing"), FailsWith(ErrorCode::kNotFound));
  EXPECT_THAT(MappedFile::open(dir.path()), FailsWith(ErrorCode::kIo));
}

}  // namespace
}  // namespace xet::io
