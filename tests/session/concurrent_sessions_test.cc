#include <gtest/gtest.h>

#include <future>
#include <set>
#include <thread>

#include "server/local/local_cas.h"
#include "session/pipelines.h"
#include "support/generators.h"
#include "support/matchers.h"
#include "support/temp_dir.h"

namespace xet {
namespace {

using namespace testing;

TEST(Determinism, TheSameInputGivesTheSameXorbsOnAnyNumberOfThreads) {
  std::vector<ByteVector> contents;
  const auto base = random_bytes(9 * kMiB, 1);
  contents.push_back(base);
  for (uint64_t i = 0; i < 100; ++i) contents.push_back(text_bytes(i * 300, i));
  ByteVector mixed(base.begin(), base.begin() + 5'000'000);
  append_bytes(mixed, bf16_bytes(9 * kMiB, 2));
  append_bytes(mixed, base);
  contents.push_back(std::move(mixed));
  contents.push_back(ByteVector(3 * kMiB));

  std::vector<XorbHash> xorbs;
  std::vector<format::FileRecord> records;
  for (int run = 0; run < (kSanitized ? 4 : 20); ++run) {
    const size_t threads = std::array<size_t, 3>{1, 2, 8}[static_cast<size_t>(run) % 3];
    const auto cas = std::make_shared<FakeCas>();
    const auto report = upload(client_of(cas, threads), contents);
    ASSERT_THAT(report, IsOk());
    auto seen = cas->xorbs();
    std::ranges::sort(seen);  // they may be acknowledged in any order
    std::vector<format::FileRecord> now;
    for (const auto& file : report->files) now.push_back(*cas->file(file.value().hash));
    if (run == 0) {
      ASSERT_GE(seen.size(), 2U);
      xorbs = seen;
      records = now;
    }
    EXPECT_EQ(seen, xorbs) << threads << " threads";
    EXPECT_EQ(now, records) << threads << " threads";
  }
}

TEST(ManyFiles, ThreeHundredAtOnceUpAndDown) {
  const TempDir dir;
  const auto cas = std::make_shared<FakeCas>(FakeCas::Options{.threads = 4});
  const auto client = client_of(cas, 4);
  std::vector<ByteVector> contents;
  UploadSession session(client, {});
  for (uint64_t i = 0; i < 300; ++i) {
    contents.push_back(random_bytes(i % 60 == 3 ? 2'000'000 + i : i * 200, i));
    write_bytes(dir / std::to_string(i), contents.back());
    session.add_file(dir / std::to_string(i));
  }
  const auto report = session.commit();
  ASSERT_THAT(report, IsOk());
  DownloadSession back(client, {});
  for (size_t i = 0; i < contents.size(); ++i) {
    back.add({.file = report->files[i].value().hash, .destination = dir / "back" / std::to_string(i)});
  }
  const auto results = back.wait();
  for (size_t i = 0; i < contents.size(); ++i) {
    ASSERT_THAT(results[i], IsOk());
    EXPECT_TRUE(read_bytes(dir / "back" / std::to_string(i)) == contents[i]);
  }
  EXPECT_EQ(names_in(dir / "back").size(), contents.size());
}

TEST(ManyFiles, AddedFromSeveralThreads) {
  const auto cas = std::make_shared<FakeCas>();
  const auto client = client_of(cas);
  UploadSession session(client, {});
  std::vector<ByteVector> contents;
  for (uint64_t i = 0; i < 64; ++i) contents.push_back(random_bytes(20'000 + i, i));
  std::vector<size_t> content_of(contents.size());
  {
    std::vector<std::jthread> adders;
    for (size_t t = 0; t < 4; ++t) {
      adders.emplace_back([&, t] {
        for (size_t i = t; i < contents.size(); i += 4) {
          if (i % 8 < 4) {
            content_of[session.add_bytes(std::to_string(i), contents[i])] = i;
          } else {
            auto pushed = session.add_stream(std::to_string(i));
            EXPECT_THAT(pushed.write(contents[i]), IsOk());
            EXPECT_THAT(pushed.finish(), IsOk());
          }
        }
      });
    }
  }
  const auto report = session.commit();
  ASSERT_THAT(report, IsOk());
  ASSERT_EQ(report->files.size(), contents.size());
  std::set<FileHash> expected;
  for (const auto& content : contents) expected.insert(hash_of(content));
  for (const auto& file : report->files) {
    EXPECT_EQ(file.value().hash, hash_of(contents[std::stoul(file->name)]));
    expected.erase(file->hash);
  }
  EXPECT_TRUE(expected.empty());
}

TEST(Sessions, OfOneClientWorkSideBySide) {
  const auto cas = std::make_shared<FakeCas>(FakeCas::Options{.threads = 3});
  const auto client = client_of(cas, 3, 256 * kMiB);
  const auto shared_part = random_bytes(2 * kMiB, 77);
  std::vector<std::jthread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t round = 0; round < 3; ++round) {
        auto content = random_bytes(2 * kMiB, t * 10 + round);
        append_bytes(content, shared_part);
        const auto file = upload_one(client, content).hash;
        EXPECT_TRUE(download(client, file).value() == content);
        EXPECT_TRUE(stream(client, file).value() == content);
      }
    });
  }
}

TEST(Sessions, OnTheEmbeddedStore) {
  const TempDir dir;
  std::vector<ByteVector> contents;
  for (uint64_t i = 0; i < 20; ++i) contents.push_back(random_bytes(i * 100'000, i));
  contents.push_back(ByteVector(9 * kMiB));
  contents.push_back(text_bytes(20 * kMiB, 2));
  std::vector<FileHash> files;
  for (int run = 0; run < 2; ++run) {  // the second deduplicates against the first
    auto cas = server::open_local_cas(dir.path());
    ASSERT_THAT(cas, IsOk());
    const auto client = client_of(std::move(*cas));
    const auto report = upload(client, contents);
    ASSERT_THAT(report, IsOk());
    expect_sums_hold(*report);
    if (run == 1) {
      EXPECT_EQ(report->metrics.new_bytes, 0U);
    }
    files.clear();
    for (const auto& file : report->files) files.push_back(file.value().hash);
  }
  auto cas = server::open_local_cas(dir.path());
  ASSERT_THAT(cas, IsOk());
  const auto client = client_of(std::move(*cas));
  for (size_t i = 0; i < contents.size(); ++i) {
    EXPECT_EQ(client->file_size(files[i]).value(), contents[i].size());
    EXPECT_TRUE(download(client, files[i]).value() == contents[i]);
    EXPECT_TRUE(stream(client, files[i]).value() == contents[i]);
    const uint64_t half = contents[i].size() / 2;
    EXPECT_TRUE(std::ranges::equal(
        download(client, files[i], FileRange{half, half + 1000}).value(),
        ByteSpan(contents[i]).subspan(half, std::min<uint64_t>(1000, contents[i].size() - half))));
  }
}

TEST(Sessions, AStoreWhoseCallbacksComeAtOnceWorksToo) {
  const auto cas = std::make_shared<FakeCas>(FakeCas::Options{.threads = 0});
  const auto client = client_of(cas);
  auto content = random_bytes(20 * kMiB, 1);
  append_bytes(content, ByteVector(2 * kMiB));
  const auto file = upload_one(client, content).hash;
  EXPECT_TRUE(download(client, file).value() == content);
  EXPECT_TRUE(stream(client, file).value() == content);
}

}  // namespace
}  // namespace xet
