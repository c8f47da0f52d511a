#include <gtest/gtest.h>

#include <future>

#include "chunk/chunker.h"
#include "session/pipelines.h"
#include "support/generators.h"
#include "support/matchers.h"
#include "support/temp_dir.h"

namespace xet {
namespace {

using namespace testing;

/// A file of several xorbs, with chunks that come again, and every way that a store may plan it.
struct StoreKind {
  const char* name;
  bool trims_terms;
  bool joins_ranges;
  bool tells_chunk_hashes;
  uint64_t page_bytes;
};

class DownloadRanges : public ::testing::TestWithParam<StoreKind> {
 protected:
  DownloadRanges() {
    const auto& kind = GetParam();
    cas_ = std::make_shared<FakeCas>(FakeCas::Options{.tells_chunk_hashes = kind.tells_chunk_hashes,
                                                      .trims_terms = kind.trims_terms,
                                                      .joins_ranges = kind.joins_ranges});
    client_ = client_of(cas_, 2, 64 * kMiB, system_clock(),
                        {.download_page_bytes = kind.page_bytes, .stream_page_bytes = kind.page_bytes});
    const auto random = random_bytes(17 * kMiB, 1);
    append_bytes(content_, random);
    append_bytes(content_, ByteSpan(random).subspan(3 * kMiB, 2 * kMiB));
    append_bytes(content_, ByteVector(kMiB));
    append_bytes(content_, text_bytes(2 * kMiB, 2));
    append_bytes(content_, ByteSpan(random).subspan(16 * kMiB, kMiB / 2));
    file_ = upload_one(client_, content_).hash;
  }

  void expect_range(uint64_t begin, uint64_t end) {
    SCOPED_TRACE(::testing::Message() << "[" << begin << ", " << end << ")");
    const auto from = std::min<uint64_t>(begin, content_.size());
    const auto to = std::min<uint64_t>(end, content_.size());
    const auto slice = ByteSpan(content_).subspan(from, to - from);
    const auto downloaded = download(client_, file_, FileRange{begin, end});
    ASSERT_THAT(downloaded, IsOk());
    EXPECT_TRUE(std::ranges::equal(*downloaded, slice));
    const auto streamed = stream(client_, file_, FileRange{begin, end});
    ASSERT_THAT(streamed, IsOk());
    EXPECT_TRUE(std::ranges::equal(*streamed, slice));
  }

  std::shared_ptr<FakeCas> cas_;
  std::shared_ptr<Client> client_;
  ByteVector content_;
  FileHash file_;
};

constexpr uint64_t kLargePage = uint64_t{1} << 40;
INSTANTIATE_TEST_SUITE_P(Stores, DownloadRanges,
                         ::testing::Values(StoreKind{"Plain", true, true, true, kLargePage},
                                           StoreKind{"WholeTerms", false, true, true, kLargePage},
                                           StoreKind{"RangesApart", true, false, true, kLargePage},
                                           StoreKind{"LikeHttp", false, true, false, kLargePage},
                                           StoreKind{"SmallPages", true, true, true, 1'000'000},
                                           StoreKind{"SmallPagesOfWholeTerms", false, true, false,
                                                     3'000'000}),
                         [](const auto& param) { return param.param.name; });

TEST_P(DownloadRanges, TheWholeFileComesBack) {
  const auto downloaded = download(client_, file_);
  ASSERT_THAT(downloaded, IsOk());
  EXPECT_TRUE(*downloaded == content_);
  const auto streamed = stream(client_, file_);
  ASSERT_THAT(streamed, IsOk());
  EXPECT_TRUE(*streamed == content_);
}

TEST_P(DownloadRanges, EveryKindOfBorderIsRight) {
  const uint64_t size = content_.size();
  expect_range(0, size);
  expect_range(0, UINT64_MAX);
  expect_range(5, UINT64_MAX);
  expect_range(0, 1);
  expect_range(size - 1, size);
  expect_range(size - 1, UINT64_MAX);
  expect_range(12'345'678, 12'345'679);
  // around the borders of chunks and of terms
  uint64_t at = 0;
  std::vector<uint64_t> borders;
  const auto record = cas_->file(file_);
  for (const auto& term : record->terms) borders.push_back(at += term.unpacked_len);
  at = 0;
  size_t i = 0;
  for (const uint32_t length : chunk::chunk_lengths(content_)) {
    at += length;
    if (i++ % 97 == 0) borders.push_back(at);
  }
  for (const uint64_t border : borders) {
    expect_range(border - 1, border);
    expect_range(border, std::min(border + 1, size));
    expect_range(border - 1, std::min(border + 100'000, size));
    expect_range(border, border + 70'000);
  }
}

TEST_P(DownloadRanges, EmptyAndFarRangesGiveNothing) {
  const uint64_t size = content_.size();
  for (const uint64_t at : {uint64_t{0}, uint64_t{777}, size, size + 1, UINT64_MAX}) expect_range(at, at);
  expect_range(size, size + 10);
  expect_range(size + 1000, UINT64_MAX);
  expect_range(UINT64_MAX - 1, UINT64_MAX);
}

TEST_P(DownloadRanges, InvertedRangesAreInvalid) {
  EXPECT_THAT(download(client_, file_, FileRange{10, 9}), FailsWith(ErrorCode::kInvalidArgument));
  EXPECT_THAT(stream(client_, file_, FileRange{10, 9}), FailsWith(ErrorCode::kInvalidArgument));
}

TEST_P(DownloadRanges, RandomRangesAreRight) {
  SplitMix64 random(1);
  for (int i = 0; i < 30; ++i) {
    const uint64_t begin = random.below(content_.size());
    expect_range(begin, begin + random.below(random.below(4) == 0 ? 8 * kMiB : 200'000));
  }
}

// --- Single files

class Download : public ::testing::Test {
 protected:
  Result<DownloadedFile> get(DownloadRequest request, DownloadOptions options = {}) {
    DownloadSession session(client_, std::move(options));
    session.add(std::move(request));
    return std::move(session.wait().at(0));
  }

  const TempDir dir_;
  const std::shared_ptr<FakeCas> cas_ = std::make_shared<FakeCas>();
  const std::shared_ptr<Client> client_ = client_of(cas_);
  const ByteVector content_ = random_bytes(3 * kMiB, 1);
  const FileHash file_ = upload_one(client_, content_).hash;
};

TEST_F(Download, AnUnknownFileIsNotFoundAndNamed) {
  const FileHash unknown(random_hash(1));
  EXPECT_THAT(get({.file = unknown, .destination = dir_ / "out"}),
              FailsWith(ErrorCode::kNotFound, (dir_ / "out").string()));
  EXPECT_THAT(stream(client_, unknown), FailsWith(ErrorCode::kNotFound));
  EXPECT_THAT(client_->file_size(unknown), FailsWith(ErrorCode::kNotFound));
  EXPECT_EQ(client_->file_size(file_).value(), content_.size());
  EXPECT_TRUE(names_in(dir_.path()).empty());
}

TEST_F(Download, TheEmptyFileNeedsNoStore) {
  const auto empty = get({.file = FileHash(), .destination = dir_ / "out"});
  ASSERT_THAT(empty, IsOk());
  EXPECT_TRUE(empty->verified);
  EXPECT_TRUE(read_bytes(dir_ / "out").empty());
  EXPECT_EQ(stream(client_, FileHash()).value(), ByteVector());
}

TEST_F(Download, TheExpectedSizeIsChecked) {
  EXPECT_THAT(get({.file = file_, .destination = dir_ / "out", .size_bytes = content_.size()}), IsOk());
  for (const uint64_t wrong :
       {uint64_t{0}, uint64_t{1}, content_.size() - 1, content_.size() + 1, UINT64_MAX}) {
    EXPECT_THAT(get({.file = file_, .destination = dir_ / "wrong", .size_bytes = wrong}),
                FailsWith(ErrorCode::kCorruption, std::to_string(wrong)));
  }
  EXPECT_THAT(get({.file = FileHash(), .destination = dir_ / "wrong", .size_bytes = 5}),
              FailsWith(ErrorCode::kCorruption));
  EXPECT_EQ(names_in(dir_.path()), std::vector<std::string>{"out"});
}

TEST_F(Download, ATooLongFileIsNotFetchedToItsEnd) {
  const auto client = client_of(cas_, 2, 64 * kMiB, system_clock(), {.download_page_bytes = 100'000});
  DownloadSession session(client, {});
  session.add({.file = file_, .destination = dir_ / "out", .size_bytes = 200'000});
  EXPECT_THAT(session.wait()[0], FailsWith(ErrorCode::kCorruption, "200000"));
  EXPECT_LT(cas_->fetched_bytes(), content_.size() / 2);
}

TEST_F(Download, ReplacesAnExistingFileOnSuccessAndKeepsItOnFailure) {
  const auto before = random_bytes(10, 9);
  write_bytes(dir_ / "out", before);
  cas_->fail(FakeCas::Op::kFetch, [](size_t) -> Status { return fail(ErrorCode::kUnavailable, "away"); });
  EXPECT_THAT(get({.file = file_, .destination = dir_ / "out"}), FailsWith(ErrorCode::kUnavailable, "away"));
  EXPECT_EQ(read_bytes(dir_ / "out"), before);
  cas_->fail(FakeCas::Op::kFetch, nullptr);
  EXPECT_THAT(get({.file = file_, .destination = dir_ / "out"}), IsOk());
  EXPECT_EQ(read_bytes(dir_ / "out"), content_);
  EXPECT_EQ(names_in(dir_.path()), std::vector<std::string>{"out"});
}

TEST_F(Download, MakesMissingDirectories) {
  EXPECT_THAT(get({.file = file_, .destination = dir_ / "a" / "b" / "out"}), IsOk());
  EXPECT_EQ(read_bytes(dir_ / "a" / "b" / "out"), content_);
}

TEST_F(Download, DestinationsThatCannotBeFilesAreErrorsThatNameThem) {
  std::filesystem::create_directory(dir_ / "directory");
  write_bytes(dir_ / "file", {});
  std::filesystem::create_symlink("loop", dir_ / "loop");
  EXPECT_THAT(get({.file = file_, .destination = dir_ / "directory"}),
              FailsWith(ErrorCode::kIo, "directory"));
  EXPECT_THAT(get({.file = file_, .destination = (dir_ / "new").string() + "/"}), FailsWith(ErrorCode::kIo));
  EXPECT_THAT(get({.file = file_, .destination = ""}), FailsWith(ErrorCode::kIo));
  EXPECT_THAT(get({.file = file_, .destination = "/dev/null"}),
              FailsWith(ErrorCode::kInvalidArgument, "/dev/null"));
  EXPECT_THAT(get({.file = file_, .destination = dir_ / "file" / "out"}), FailsWith(ErrorCode::kIo, "file"));
  EXPECT_THAT(get({.file = file_, .destination = dir_ / "loop"}), FailsWith(ErrorCode::kIo, "loop"));
  EXPECT_THAT(get({.file = file_, .destination = dir_ / std::string(300, 'x')}), FailsWith(ErrorCode::kIo));
  EXPECT_EQ(names_in(dir_.path()), (std::vector<std::string>{"directory", "file", "loop"}));
}

TEST_F(Download, ASymbolicLinkStaysAndItsTargetIsReplaced) {
  write_bytes(dir_ / "target", {});
  std::filesystem::create_symlink("target", dir_ / "link");
  std::filesystem::create_symlink(dir_ / "not yet", dir_ / "dangling");
  std::filesystem::create_symlink("link", dir_ / "link to link");
  EXPECT_THAT(get({.file = file_, .destination = dir_ / "link to link"}), IsOk());
  EXPECT_TRUE(std::filesystem::is_symlink(dir_ / "link"));
  EXPECT_EQ(read_bytes(dir_ / "target"), content_);
  EXPECT_THAT(get({.file = file_, .destination = dir_ / "dangling"}), IsOk());
  EXPECT_TRUE(std::filesystem::is_symlink(dir_ / "dangling"));
  EXPECT_EQ(read_bytes(dir_ / "not yet"), content_);
}

TEST_F(Download, AFailedFileDoesNotFailTheOthers) {
  DownloadSession session(client_, {});
  session.add({.file = file_, .destination = dir_ / "first"});
  session.add({.file = FileHash(random_hash(1)), .destination = dir_ / "second"});
  session.add({.file = file_, .destination = dir_ / "third"});
  const auto results = session.wait();
  EXPECT_THAT(results[0], IsOk());
  EXPECT_THAT(results[1], FailsWith(ErrorCode::kNotFound));
  EXPECT_THAT(results[2], IsOk());
}

TEST_F(Download, EachFileIsReportedWhenItIsInItsPlace) {
  DownloadSession session(client_, {});
  std::promise<Result<DownloadedFile>> first;
  std::promise<Result<DownloadedFile>> second;
  session.add({.file = file_, .destination = dir_ / "first", .on_done = [&](const auto& result) {
                 EXPECT_TRUE(std::filesystem::exists(dir_ / "first"));
                 first.set_value(result);
               }});
  EXPECT_EQ(first.get_future().get().value().size_bytes, content_.size())
      << "nobody waits for the session yet";
  session.add({.file = FileHash(random_hash(1)),
               .destination = dir_ / "second",
               .on_done = [&](const auto& result) { second.set_value(result); }});
  EXPECT_THAT(second.get_future().get(), FailsWith(ErrorCode::kNotFound));
  const auto results = session.wait();
  EXPECT_THAT(results[0], IsOk());
  EXPECT_THAT(results[1], FailsWith(ErrorCode::kNotFound));
}

TEST_F(Download, NeedsAStore) {
  DownloadSession session(client_of(nullptr), {});
  session.add({.file = file_, .destination = dir_ / "out"});
  EXPECT_THAT(session.wait()[0], FailsWith(ErrorCode::kInvalidArgument));
  EXPECT_THAT(stream(client_of(nullptr), file_), FailsWith(ErrorCode::kInvalidArgument));
}

TEST_F(Download, FilesCutByOtherRulesVerifyByTheirOwnBoundaries) {
  std::vector<ByteVector> chunks;
  ByteVector whole;
  for (const size_t length : {8128, 1, 100'000, 131072, 8128, 8128, 17, 64}) {
    chunks.push_back(random_bytes(length, chunks.size()));
    append_bytes(whole, chunks.back());
  }
  const auto file = cas_->add_file(chunks);
  ASSERT_NE(file, hash_of(whole));
  EXPECT_EQ(download(client_, file).value(), whole);
  EXPECT_EQ(stream(client_, file).value(), whole);
}

TEST_F(Download, RepeatedChunksAreFetchedOnce) {
  const ByteVector zeros(20 * kMiB);
  const auto file = upload_one(client_, zeros).hash;
  const auto before = cas_->fetched_bytes();
  EXPECT_TRUE(download(client_, file).value() == zeros);
  EXPECT_LT(cas_->fetched_bytes() - before, 300'000U);
  EXPECT_TRUE(stream(client_, file).value() == zeros);
  EXPECT_LT(cas_->fetched_bytes() - before, 600'000U);
}

TEST_F(Download, ProgressEndsAtTheTotals) {
  Progress last;
  uint64_t done = 0;
  DownloadOptions options;
  options.session.progress_interval = std::chrono::milliseconds(1);
  options.session.progress = [&](const Progress& progress) {
    EXPECT_GE(progress.done_bytes, done);
    done = progress.done_bytes;
    last = progress;
  };
  ASSERT_THAT(get({.file = file_, .destination = dir_ / "out"}, options), IsOk());
  EXPECT_EQ(last.total_bytes, content_.size());
  EXPECT_EQ(last.done_bytes, content_.size());
  EXPECT_EQ(last.done_files, 1U);
  EXPECT_EQ(last.total_files, 1U);
  EXPECT_GE(last.transfer_bytes, content_.size());
}

// --- Streaming

TEST_F(Download, AnErrorOfTheSinkEndsTheStreamWithIt) {
  uint64_t seen = 0;
  const auto outcome = stream_file(client_, file_, std::nullopt, [&](ByteSpan piece) -> Status {
    seen += piece.size();
    if (seen > 500'000) return fail(ErrorCode::kIo, "the reader went away");
    return {};
  });
  EXPECT_THAT(outcome, FailsWith(ErrorCode::kIo, "the reader went away"));
  EXPECT_LT(seen, 700'000U);
}

TEST_F(Download, AnExceptionOfTheSinkReachesTheCallerAndNothingIsLeft) {
  EXPECT_THROW((void)stream_file(client_, file_, std::nullopt,
                                 [](ByteSpan) -> Status { throw std::runtime_error("the sink's own"); }),
               std::runtime_error);
  EXPECT_EQ(stream(client_, file_).value(), content_);
}

TEST_F(Download, AStreamCanBeCancelledInTheMiddle) {
  const StopSource stop;
  SessionOptions options;
  options.stop = stop.get_token();
  uint64_t seen = 0;
  const auto outcome = stream_file(
      client_, file_, std::nullopt,
      [&](ByteSpan piece) -> Status {
        seen += piece.size();
        if (seen > 500'000) stop.request_stop();
        return {};
      },
      options);
  EXPECT_THAT(outcome, FailsWith(ErrorCode::kCancelled));
  EXPECT_LT(seen, 700'000U);
}

TEST_F(Download, AStreamWhoseStoreIsSilentCanBeCancelled) {
  for (const auto op : {FakeCas::Op::kReconstruct, FakeCas::Op::kFetch}) {
    const StopSource stop;
    SessionOptions options;
    options.stop = stop.get_token();
    cas_->hold(op);
    std::jthread canceller([&] {
      EXPECT_TRUE(cas_->wait_for_held(op, 1));
      stop.request_stop();
    });
    EXPECT_THAT(stream(client_, file_, std::nullopt, options), FailsWith(ErrorCode::kCancelled));
    canceller.join();
    cas_->release(op);
  }
}

TEST_F(Download, TheDeadlineEndsItWhenTheStoreIsSilent) {
  FakeClock clock;
  const auto client = client_of(cas_, 2, 64 * kMiB, clock);
  cas_->hold(FakeCas::Op::kFetch);
  DownloadOptions options;
  options.session.deadline = clock.now() + std::chrono::hours(1);
  DownloadSession session(client, options);
  session.add({.file = file_, .destination = dir_ / "out"});
  ASSERT_TRUE(cas_->wait_for_held(FakeCas::Op::kFetch, 1));
  clock.advance(std::chrono::hours(2));
  EXPECT_THAT(session.wait()[0], FailsWith(ErrorCode::kDeadline, "out"));
  EXPECT_TRUE(names_in(dir_.path()).empty());
}

}  // namespace
}  // namespace xet
