#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <future>
#include <thread>
#include <vector>

#include "chunk/chunker.h"
#include "hash/sha256.h"
#include "session/pipelines.h"
#include "support/generators.h"
#include "support/matchers.h"
#include "support/temp_dir.h"

namespace xet {
namespace {

using namespace testing;
using ::testing::SizeIs;

constexpr std::string_view kEmptySha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

struct Sample {
  const char* name;
  ByteVector content;
};

/// Contents of all kinds; the sizes lie around those where the pipeline changes its ways.
std::vector<Sample> samples() {
  std::vector<Sample> out;
  const auto add = [&](const char* name, ByteVector content) { out.push_back({name, std::move(content)}); };
  add("empty", {});
  add("one byte", random_bytes(1, 1));
  add("window minus one", random_bytes(63, 2));
  add("window", random_bytes(64, 3));
  add("least chunk", random_bytes(8192, 4));
  add("longest chunk of zeros", ByteVector(128 * 1024));
  add("largest small file", random_bytes(kMiB, 5));
  add("smallest large file", random_bytes(kMiB + 1, 6));
  add("zeros", ByteVector(10 * kMiB + 17));
  add("random", random_bytes(11 * kMiB + 3, 7));
  add("text", text_bytes(6 * kMiB + 1, 8));
  add("bf16", bf16_bytes(6 * kMiB, 9));
  ByteVector mixture;
  for (uint64_t i = 0; i < 6; ++i) {
    append_bytes(mixture, random_bytes(700'000, i % 2));  // the same two again and again
    append_bytes(mixture, ByteVector(300'000, std::byte(i)));
    append_bytes(mixture, text_bytes(500'000, i));
  }
  add("mixture", std::move(mixture));
  return out;
}

void expect_right(const FileReport& report, ByteSpan content) {
  EXPECT_EQ(report.hash, hash_of(content)) << report.name;
  EXPECT_EQ(report.size_bytes, content.size()) << report.name;
  ASSERT_TRUE(report.sha256) << report.name;
  EXPECT_EQ(*report.sha256, hash::sha256(content)) << report.name;
}

TEST(UploadRoundTrip, EveryKindOfContentComesBackAsItWas) {
  const auto cas = std::make_shared<FakeCas>();
  const auto client = client_of(cas);
  const auto all = samples();
  std::vector<ByteVector> contents;
  for (const auto& sample : all) contents.push_back(sample.content);
  const auto report = upload(client, contents);
  ASSERT_THAT(report, IsOk());
  expect_sums_hold(*report);
  ASSERT_THAT(report->files, SizeIs(all.size()));
  for (size_t i = 0; i < all.size(); ++i) {
    SCOPED_TRACE(all[i].name);
    const auto& file = report->files[i];
    ASSERT_THAT(file, IsOk());
    expect_right(*file, all[i].content);
    EXPECT_EQ(cas->content(file->hash), all[i].content);
    EXPECT_EQ(cas->file(file->hash)->sha256, file->sha256);
    const auto downloaded = download(client, file->hash);
    ASSERT_THAT(downloaded, IsOk());
    EXPECT_EQ(*downloaded, all[i].content);
    const auto streamed = stream(client, file->hash);
    ASSERT_THAT(streamed, IsOk());
    EXPECT_EQ(*streamed, all[i].content);
  }
}

TEST(UploadRoundTrip, EachContentAloneInASessionGivesTheSameHashes) {
  for (const auto& sample : samples()) {
    SCOPED_TRACE(sample.name);
    const auto cas = std::make_shared<FakeCas>();
    const auto report = upload_one(client_of(cas), sample.content);
    expect_right(report, sample.content);
    EXPECT_EQ(cas->content(report.hash), sample.content);
  }
}

TEST(UploadRoundTrip, TheEmptyFileHasTheZeroHashAndTheRealSha256) {
  const TempDir dir;
  write_bytes(dir / "empty", {});
  const auto cas = std::make_shared<FakeCas>();
  UploadSession session(client_of(cas), {});
  session.add_file(dir / "empty");
  session.add_bytes("bytes", {});
  auto pushed = session.add_stream("stream");
  EXPECT_THAT(pushed.finish(), IsOk());
  const auto report = session.commit();
  ASSERT_THAT(report, IsOk());
  for (const auto& file : report->files) {
    ASSERT_THAT(file, IsOk());
    EXPECT_TRUE(file->hash.is_zero());
    EXPECT_EQ(file->sha256->hex(), kEmptySha256);
  }
  EXPECT_EQ(cas->n_files(), 1U);
  EXPECT_TRUE(cas->file(FileHash())->has_verification);
}

TEST(UploadRoundTrip, ASessionWithoutFilesStoresNothing) {
  const auto cas = std::make_shared<FakeCas>();
  const auto report = upload(client_of(cas), {});
  ASSERT_THAT(report, IsOk());
  EXPECT_THAT(report->files, SizeIs(0));
  EXPECT_EQ(cas->calls(FakeCas::Op::kPutShard), 0U);
}

TEST(UploadRoundTrip, Sha256CanBeSkippedOrGiven) {
  const auto content = random_bytes(3 * kMiB, 1);
  const auto cas = std::make_shared<FakeCas>();
  const auto client = client_of(cas);
  const auto skipped = upload(client, {content}, {}, {.sha256 = Sha256Policy::kSkip});
  ASSERT_THAT(skipped, IsOk());
  EXPECT_EQ(skipped->files[0]->sha256, std::nullopt);
  EXPECT_EQ(cas->file(skipped->files[0]->hash)->sha256, std::nullopt);

  const Sha256Digest told(random_hash(1));  // stored as given, right or not
  const auto given =
      upload(client, {content}, {}, {.sha256 = Sha256Policy::kProvided, .provided_sha256 = told});
  ASSERT_THAT(given, IsOk());
  EXPECT_EQ(given->files[0]->sha256, told);
  EXPECT_EQ(cas->file(given->files[0]->hash)->sha256, told);
}

TEST(UploadRoundTrip, FilesOfAllSizesAndManySmallOnes) {
  const TempDir dir;
  const auto cas = std::make_shared<FakeCas>();
  UploadSession session(client_of(cas), {});
  std::vector<ByteVector> contents;
  for (size_t i = 0; i < 400; ++i) {
    const size_t size = i % 50 == 7 ? kMiB + i * 1000 : i * i % 5000;
    contents.push_back(random_bytes(size, i));
    write_bytes(dir / std::to_string(i), contents.back());
    EXPECT_EQ(session.add_file(dir / std::to_string(i)), i);
  }
  const auto report = session.commit();
  ASSERT_THAT(report, IsOk());
  expect_sums_hold(*report);
  for (size_t i = 0; i < contents.size(); ++i) {
    ASSERT_THAT(report->files[i], IsOk());
    EXPECT_EQ(report->files[i]->name, (dir / std::to_string(i)).string());
    expect_right(*report->files[i], contents[i]);
    EXPECT_EQ(cas->content(report->files[i]->hash), contents[i]);
  }
}

TEST(UploadRoundTrip, StreamsMayBeWrittenInPiecesOfAnySize) {
  const auto content = random_bytes(3 * kMiB + 5, 1);
  const auto cas = std::make_shared<FakeCas>();
  const auto client = client_of(cas);
  for (const size_t piece :
       {size_t{1}, size_t{7}, size_t{8192}, size_t{65537}, kMiB, kMiB + 63, content.size()}) {
    SCOPED_TRACE(piece);
    // a byte at a time takes long under sanitizers
    const auto part = ByteSpan(content).first(piece == 1 ? 300'000 : content.size());
    UploadSession session(client, {});
    auto pushed = session.add_stream("stream");
    for (size_t at = 0; at < part.size(); at += piece) {
      ASSERT_THAT(pushed.write(part.subspan(at, std::min(piece, part.size() - at))), IsOk());
    }
    ASSERT_THAT(pushed.write({}), IsOk());
    ASSERT_THAT(pushed.finish(), IsOk());
    const auto report = session.commit();
    ASSERT_THAT(report, IsOk());
    expect_right(report->files[0].value(), part);
  }
}

TEST(UploadRoundTrip, StreamsFilesAndBytesMixInOneSession) {
  const TempDir dir;
  const auto content = random_bytes(5 * kMiB, 1);
  write_bytes(dir / "file", content);
  const auto cas = std::make_shared<FakeCas>();
  UploadSession session(client_of(cas), {});
  auto first = session.add_stream("first");
  session.add_file(dir / "file");
  auto second = session.add_stream("second");
  session.add_bytes("bytes", content);
  for (size_t at = 0; at < content.size(); at += 100'000) {
    const auto piece = ByteSpan(content).subspan(at, std::min<size_t>(100'000, content.size() - at));
    ASSERT_THAT(second.write(piece), IsOk());
    ASSERT_THAT(first.write(piece), IsOk());
  }
  ASSERT_THAT(second.finish(), IsOk());
  ASSERT_THAT(first.finish(), IsOk());
  const auto report = session.commit();
  ASSERT_THAT(report, IsOk());
  ASSERT_THAT(report->files, SizeIs(4));
  for (const auto& file : report->files) expect_right(file.value(), content);
  EXPECT_EQ(report->metrics.new_bytes, content.size());
}

TEST(UploadRoundTrip, AFileIsReportedWhenItWasReadLongBeforeTheCommit) {
  const TempDir dir;
  write_bytes(dir / "file", random_bytes(3 * kMiB, 1));
  const auto small = random_bytes(100, 2);
  const auto provided = hash::sha256(small);
  const auto cas = std::make_shared<FakeCas>();
  UploadSession session(client_of(cas), {});
  std::vector<std::promise<Result<FileReport>>> read(5);
  const auto noting = [&read](size_t i) {
    return [&read, i](const Result<FileReport>& report) { read.at(i).set_value(report); };
  };
  session.add_file(dir / "file", {.on_read = noting(0)});
  session.add_file(dir / "missing", {.on_read = noting(1)});
  session.add_bytes("small", small,
                    {.sha256 = Sha256Policy::kProvided, .provided_sha256 = provided, .on_read = noting(2)});
  session.add_bytes("empty", {}, {.sha256 = Sha256Policy::kSkip, .on_read = noting(3)});
  auto stream = session.add_stream("stream", {.on_read = noting(4)});
  ASSERT_THAT(stream.write(small), IsOk());
  ASSERT_THAT(stream.finish(), IsOk());

  std::vector<Result<FileReport>> before;
  for (auto& each : read) before.push_back(each.get_future().get());
  EXPECT_TRUE(cas->xorbs().empty()) << "their chunks are in the xorb that is still open";
  const auto report = session.commit();
  ASSERT_THAT(report, IsOk());
  EXPECT_THAT(before[1], FailsWith(ErrorCode::kNotFound, (dir / "missing").string()));
  for (const size_t i : {0, 2, 3, 4}) {
    ASSERT_THAT(before[i], IsOk()) << i;
    EXPECT_EQ(before[i]->name, report->files[i]->name);
    EXPECT_EQ(before[i]->hash, report->files[i]->hash);
    EXPECT_EQ(before[i]->size_bytes, report->files[i]->size_bytes);
    EXPECT_EQ(before[i]->sha256, report->files[i]->sha256);
    EXPECT_EQ(before[i]->metrics.total_bytes, report->files[i]->metrics.total_bytes);
  }
  EXPECT_EQ(before[2]->sha256, provided);
  EXPECT_TRUE(before[3]->hash.is_zero());
}

TEST(UploadRoundTrip, ANamedPipeIsReadToItsEnd) {
  const TempDir dir;
  const auto content = random_bytes(3 * kMiB + 11, 1);
  ASSERT_EQ(::mkfifo((dir / "pipe").c_str(), 0600), 0);
  std::thread writer([&] {
    const int fd = ::open((dir / "pipe").c_str(), O_WRONLY | O_CLOEXEC);
    for (size_t at = 0; at < content.size();) {
      const auto n = ::write(fd, content.data() + at, std::min<size_t>(content.size() - at, 50'000));
      ASSERT_GT(n, 0);
      at += static_cast<size_t>(n);
    }
    ::close(fd);
  });
  const auto cas = std::make_shared<FakeCas>();
  Progress last;
  UploadOptions options;
  options.session.progress = [&](const Progress& progress) { last = progress; };
  UploadSession session(client_of(cas), options);
  session.add_file(dir / "pipe");
  const auto report = session.commit();
  writer.join();
  ASSERT_THAT(report, IsOk());
  EXPECT_EQ(last.total_bytes, content.size());
  EXPECT_EQ(last.done_bytes, content.size());
  expect_right(report->files[0].value(), content);
}

TEST(UploadRoundTrip, FilesThatSayTheyAreEmptyButAreNot) {
  const auto cas = std::make_shared<FakeCas>();
  UploadSession session(client_of(cas), {});
  session.add_file("/proc/version");
  const auto report = session.commit();
  ASSERT_THAT(report, IsOk());
  ASSERT_THAT(report->files[0], IsOk());
  EXPECT_GT(report->files[0]->size_bytes, 0U);
  expect_right(*report->files[0], cas->content(report->files[0]->hash));
}

TEST(UploadRoundTrip, ADryRunStoresNothingAndReportsTheSame) {
  const auto content = text_bytes(3 * kMiB, 1);
  const auto cas = std::make_shared<FakeCas>();
  const auto client = client_of(cas);
  const auto planned = upload(client, {content, content}, {.dry_run = true});
  ASSERT_THAT(planned, IsOk());
  EXPECT_EQ(cas->calls(FakeCas::Op::kPutXorb), 0U);
  EXPECT_EQ(cas->calls(FakeCas::Op::kPutShard), 0U);
  const auto done = upload(client, {content, content});
  ASSERT_THAT(done, IsOk());
  EXPECT_EQ(planned->files[1]->hash, done->files[1]->hash);
  EXPECT_EQ(planned->metrics.new_bytes, done->metrics.new_bytes);
  EXPECT_EQ(planned->metrics.compressed_bytes, done->metrics.compressed_bytes);
  EXPECT_EQ(planned->metrics.shard_bytes_uploaded, done->metrics.shard_bytes_uploaded);
}

TEST(UploadRoundTrip, WithoutAStoreHashesWorkAndUploadsDoNot) {
  const TempDir dir;
  const auto content = random_bytes(2 * kMiB, 1);
  write_bytes(dir / "file", content);
  const auto client = client_of(nullptr);
  const auto hashes = hash_files(client, {dir / "file", dir / "missing"}, {.sha256 = Sha256Policy::kCompute});
  expect_right(hashes[0].value(), content);
  EXPECT_THAT(hashes[1], FailsWith(ErrorCode::kNotFound, (dir / "missing").string()));
  const auto planned = upload(client, {content}, {.dry_run = true});
  ASSERT_THAT(planned, IsOk());
  expect_right(planned->files[0].value(), content);
  EXPECT_THAT(upload(client, {content}), FailsWith(ErrorCode::kInvalidArgument));
}

TEST(ChunkFile, GivesTheChunksInOrder) {
  const TempDir dir;
  const auto content = random_bytes(9 * kMiB + 1, 1);
  write_bytes(dir / "file", content);
  std::vector<uint32_t> lengths;
  uint64_t at = 0;
  const auto report = chunk_file(client_of(nullptr), dir / "file", [&](std::span<const FileChunk> chunks) {
    for (const auto& chunk : chunks) {
      EXPECT_EQ(chunk.offset, at);
      at += chunk.len_bytes;
      lengths.push_back(chunk.len_bytes);
    }
  });
  ASSERT_THAT(report, IsOk());
  EXPECT_EQ(report->hash, hash_of(content));
  EXPECT_EQ(lengths, chunk::chunk_lengths(content));
}

}  // namespace
}  // namespace xet
