#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "session/pipelines.h"
#include "support/generators.h"
#include "support/matchers.h"
#include "support/temp_dir.h"

namespace xet {
namespace {

using namespace testing;

/// After a test all memory is back, and there was never more of it than allowed. The parameter is the cap in
/// MiB. Were anything to wait for memory for ever, the test would time out.
class MemoryCap : public ::testing::TestWithParam<size_t> {
 protected:
  void TearDown() override {
    auto& budget = client_->impl()->budget();
    const auto usage = budget.usage();
    EXPECT_EQ(budget.total_bytes(), GetParam() * kMiB);
    EXPECT_LE(usage.most_reserved, GetParam() * kMiB);
    EXPECT_LE(usage.most_mapped, GetParam() * kMiB);
    EXPECT_GT(usage.most_mapped, 0U);
    EXPECT_EQ(usage.reserved, 0U);
    EXPECT_EQ(usage.mapped, 0U);
  }

  const size_t n_bytes_ = (kSanitized ? 50 : 220) * kMiB;
  const std::shared_ptr<FakeCas> cas_ = std::make_shared<FakeCas>();
  const std::shared_ptr<Client> client_ = client_of(cas_, 4, GetParam() * kMiB);
};
INSTANTIATE_TEST_SUITE_P(MiB, MemoryCap, ::testing::Values(64, 256), ::testing::PrintToStringParamName());

TEST_P(MemoryCap, HoldsForOneLargeFileUpAndDown) {
  const TempDir dir;
  const auto content = random_bytes(n_bytes_, 1);
  const auto report = upload(client_, {content}, {}, {.sha256 = Sha256Policy::kSkip});
  ASSERT_THAT(report, IsOk());
  const auto file = report->files[0].value().hash;
  EXPECT_TRUE(download(client_, file).value() == content);
  uint64_t at = 0;
  const auto streamed = stream_file(client_, file, std::nullopt, [&](ByteSpan piece) -> Status {
    EXPECT_TRUE(std::ranges::equal(piece, ByteSpan(content).subspan(at, piece.size())));
    at += piece.size();
    return {};
  });
  EXPECT_EQ(streamed.value(), content.size());
}

TEST_P(MemoryCap, HoldsWhenEachBlockHasOneNewChunk) {
  // what is new pins nothing of its block
  const auto known = random_bytes(4 * kMiB - 8192, 1);
  ByteVector content;
  for (uint64_t i = 0; content.size() < n_bytes_; ++i) {
    append_bytes(content, known);
    append_bytes(content, random_bytes(8192, 1000 + i));
  }
  const auto report = upload(client_, {content}, {}, {.sha256 = Sha256Policy::kSkip});
  ASSERT_THAT(report, IsOk());
  EXPECT_LT(report->metrics.new_bytes, n_bytes_ / 3);
  EXPECT_TRUE(cas_->content(report->files[0].value().hash) == content);
}

TEST_P(MemoryCap, HoldsWithASlowStore) {
  const auto content = random_bytes(n_bytes_, 1);
  std::atomic<uint64_t> done{0};
  UploadOptions options;
  options.session.progress = [&](const Progress& progress) { done = progress.done_bytes; };
  options.session.progress_interval = std::chrono::milliseconds(1);
  cas_->hold(FakeCas::Op::kPutXorb);
  std::jthread store([&](const std::stop_token& stop) {
    // takes what it is given only when there is a second xorb, so that as much as can be is on its way
    while (!stop.stop_requested()) {
      if (cas_->n_held(FakeCas::Op::kPutXorb) >= (done == content.size() ? 1 : 2)) {
        cas_->release(FakeCas::Op::kPutXorb);
        cas_->hold(FakeCas::Op::kPutXorb);
      }
      std::this_thread::yield();
    }
  });
  const auto report = upload(client_, {content}, options, {.sha256 = Sha256Policy::kSkip});
  ASSERT_THAT(report, IsOk());
  EXPECT_EQ(report->files[0].value().hash, hash_of(content));
}

TEST_P(MemoryCap, HoldsWithManyOpenStreams) {
  UploadSession session(client_, {});
  std::vector<UploadStream> streams;
  const auto content = random_bytes(2 * kMiB, 1);
  for (int i = 0; i < 40; ++i) {
    streams.push_back(session.add_stream(std::to_string(i)));
    // each holds some bytes back
    ASSERT_THAT(streams.back().write(ByteSpan(content).first(100'000 + static_cast<size_t>(i))), IsOk());
  }
  for (int i = 0; i < 40; ++i) {
    auto& pushed = streams[static_cast<size_t>(39 - i)];
    ASSERT_THAT(pushed.write(content), IsOk());
  }
  for (auto& pushed : streams) ASSERT_THAT(pushed.finish(), IsOk());
  const auto report = session.commit();
  ASSERT_THAT(report, IsOk());
  for (const auto& file : report->files) EXPECT_THAT(file, IsOk());
}

TEST_P(MemoryCap, ManySessionsAtOnceDoNotBlockEachOther) {
  std::vector<FileHash> files;
  std::vector<ByteVector> contents;
  for (uint64_t i = 0; i < 3; ++i) {
    contents.push_back(random_bytes(6 * kMiB, i));
    files.push_back(upload_one(client_, contents.back()).hash);
  }
  std::vector<std::jthread> threads;
  for (uint64_t t = 0; t < 12; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t round = 0; round < (kSanitized ? 1 : 3); ++round) {
        const size_t i = (t + round) % contents.size();
        switch (t % 4) {
          case 0:
            EXPECT_TRUE(download(client_, files[i]).value() == contents[i]);
            break;
          case 1:
            EXPECT_TRUE(stream(client_, files[i]).value() == contents[i]);
            break;
          case 2:
            EXPECT_EQ(upload_one(client_, random_bytes(6 * kMiB, 100 + t * 10 + round)).size_bytes, 6 * kMiB);
            break;
          default: {
            UploadSession session(client_, {});
            auto pushed = session.add_stream("stream");
            for (int piece = 0; piece < 6; ++piece) {
              EXPECT_THAT(pushed.write(random_bytes(kMiB, 200 + t * 10 + round)), IsOk());
            }
            EXPECT_THAT(pushed.finish(), IsOk());
            EXPECT_THAT(session.commit(), IsOk());
          }
        }
      }
    });
  }
}

TEST_P(MemoryCap, AnIdleSessionGivesUpWhatItDoesNotNeed) {
  // One session has grown and sleeps; others must still find room.
  UploadSession idle(client_, {});
  auto pushed = idle.add_stream("idle");
  const auto content = random_bytes(24 * kMiB, 1);
  ASSERT_THAT(pushed.write(content), IsOk());
  const auto other = random_bytes(3 * kMiB, 2);
  const auto file = upload_one(client_, other).hash;
  EXPECT_TRUE(download(client_, file).value() == other);
  EXPECT_TRUE(stream(client_, file).value() == other);
  ASSERT_THAT(pushed.finish(), IsOk());
  EXPECT_THAT(idle.commit(), IsOk());
}

}  // namespace
}  // namespace xet
