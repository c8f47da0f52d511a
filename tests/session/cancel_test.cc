#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "io/file.h"
#include "session/pipelines.h"
#include "support/generators.h"
#include "support/matchers.h"
#include "support/temp_dir.h"

namespace xet {
namespace {

using namespace testing;
using Clock = std::chrono::steady_clock;

// What is promised is half a second; sanitizers are ten times slower.
constexpr auto kSoon = std::chrono::milliseconds(kSanitized ? 5000 : 500);

/// Fires a token after a time and remembers when it did. The time is not waited for by anybody: it only
/// spreads the moments of the cancels over all that a session does.
class FireLater {
 public:
  explicit FireLater(std::chrono::microseconds after)
      : thread_([this, after] {
          std::this_thread::sleep_for(after);
          fired_ = Clock::now();
          stop_.request_stop();
        }) {}
  std::stop_token token() const { return stop_.get_token(); }
  Clock::duration since() {
    thread_.join();
    return Clock::now() - fired_;
  }

 private:
  const StopSource stop_;
  Clock::time_point fired_;
  std::jthread thread_;
};

/// When to cancel in each round: before it has begun up to after its end.
std::chrono::microseconds moment(int round) {
  return std::chrono::microseconds(round * round * (kSanitized ? 3000 : 500));
}
constexpr int kRounds = 12;

/// Nothing of the process is left over from what the test does inside.
class Cancel : public ::testing::Test {
 protected:
  void SetUp() override {
    std::thread([] {}).join();  // a sanitizer's own thread comes with the first
    fds_ = n_open_fds();
    threads_ = n_threads();
  }
  void TearDown() override {
    EXPECT_EQ(n_open_fds(), fds_);
    // the kernel lists a thread a moment longer than join() waits
    const auto give_up = Clock::now() + std::chrono::seconds(10);
    while (n_threads() != threads_ && Clock::now() < give_up) std::this_thread::yield();
    EXPECT_EQ(n_threads(), threads_);
  }
  size_t fds_ = 0;
  size_t threads_ = 0;
};

TEST_F(Cancel, OfAnUploadAtAnyMomentReturnsSoon) {
  const TempDir dir;
  const auto content = random_bytes(20 * kMiB, 1);
  write_bytes(dir / "file", content);
  for (int round = 0; round < kRounds; ++round) {
    const auto cas = std::make_shared<FakeCas>(FakeCas::Options{.shard_places = dir / "shards"});
    const auto client = client_of(cas);
    FireLater canceller(moment(round));
    UploadOptions options;
    options.session.stop = canceller.token();
    Result<UploadReport> report;
    {
      UploadSession session(client, options);
      session.add_file(dir / "file");
      session.add_bytes("bytes", content);
      for (int i = 0; i < 20; ++i) session.add_bytes("small", ByteSpan(content).first(5000));
      report = session.commit();
    }
    EXPECT_LT(canceller.since(), kSoon);
    if (!report) {
      EXPECT_THAT(report, FailsWith(ErrorCode::kCancelled));
    }
    EXPECT_EQ(client->impl()->budget().usage().mapped, 0U);
    std::filesystem::remove_all(dir / "shards");
  }
}

TEST_F(Cancel, OfAnUploadWhoseStoreIsSilentReturnsSoon) {
  for (const auto op : {FakeCas::Op::kQueryDedup, FakeCas::Op::kPutXorb, FakeCas::Op::kPutShard}) {
    const auto cas = std::make_shared<FakeCas>();
    const auto client = client_of(cas);
    cas->hold(op);
    const StopSource stop;
    UploadOptions options;
    options.session.stop = stop.get_token();
    UploadSession session(client, options);
    const auto content = random_bytes(2 * kMiB, 1);
    session.add_bytes("it", content);
    auto report = std::async(std::launch::async, [&] { return session.commit(); });
    ASSERT_TRUE(cas->wait_for_held(op, 1));
    const auto fired = Clock::now();
    stop.request_stop();
    EXPECT_THAT(report.get(), FailsWith(ErrorCode::kCancelled));
    EXPECT_LT(Clock::now() - fired, kSoon);
  }
}

TEST_F(Cancel, OfADownloadAtAnyMomentLeavesAFinishedFileOrNone) {
  const auto cas = std::make_shared<FakeCas>();
  const auto client = client_of(cas);
  const auto content = random_bytes(20 * kMiB, 1);
  const auto file = upload_one(client, content).hash;
  const TempDir dir;
  for (int round = 0; round < kRounds; ++round) {
    FireLater canceller(moment(round));
    DownloadOptions options;
    options.session.stop = canceller.token();
    std::vector<Result<DownloadedFile>> results;
    {
      DownloadSession session(client, options);
      for (int i = 0; i < 20; ++i)
        session.add({.file = file, .destination = dir / "out" / std::to_string(i)});
      results = session.wait();
    }
    EXPECT_LT(canceller.since(), kSoon);
    size_t n_done = 0;
    for (size_t i = 0; i < results.size(); ++i) {
      const auto path = dir / "out" / std::to_string(i);
      EXPECT_EQ(std::filesystem::exists(path), results[i].has_value());
      if (results[i]) {
        ++n_done;
        EXPECT_EQ(std::filesystem::file_size(path), content.size());
      } else {
        EXPECT_THAT(results[i], FailsWith(ErrorCode::kCancelled));
      }
    }
    if (std::filesystem::exists(dir / "out")) {
      EXPECT_EQ(names_in(dir / "out").size(), n_done);
    }
    std::filesystem::remove_all(dir / "out");
    EXPECT_EQ(client->impl()->budget().usage().mapped, 0U);
  }
}

TEST_F(Cancel, OfAStreamAtAnyMoment) {
  const auto cas = std::make_shared<FakeCas>();
  const auto client = client_of(cas);
  const auto content = random_bytes(20 * kMiB, 1);
  const auto file = upload_one(client, content).hash;
  for (int round = 0; round < kRounds; ++round) {
    FireLater canceller(moment(round));
    SessionOptions options;
    options.stop = canceller.token();
    const auto outcome =
        stream_file(client, file, std::nullopt, [](ByteSpan) -> Status { return {}; }, options);
    EXPECT_LT(canceller.since(), kSoon);
    if (!outcome) {
      EXPECT_THAT(outcome, FailsWith(ErrorCode::kCancelled));
    }
  }
}

TEST_F(Cancel, OfHashing) {
  const TempDir dir;
  const auto content = random_bytes(30 * kMiB, 1);
  write_bytes(dir / "file", content);
  const auto client = client_of(nullptr);
  for (int round = 0; round < kRounds; ++round) {
    FireLater canceller(moment(round));
    SessionOptions options;
    options.stop = canceller.token();
    const auto results = hash_files(client, {dir / "file", dir / "file"}, {}, options);
    EXPECT_LT(canceller.since(), kSoon);
    for (const auto& result : results) {
      if (!result) {
        EXPECT_THAT(result, FailsWith(ErrorCode::kCancelled));
      } else {
        EXPECT_EQ(result->size_bytes, content.size());
      }
    }
  }
}

TEST_F(Cancel, BeingDestroyedInTheMiddleIsOne) {
  const TempDir dir;
  const auto content = random_bytes(20 * kMiB, 1);
  for (int round = 0; round < kRounds; ++round) {
    const auto cas = std::make_shared<FakeCas>();
    const auto client = client_of(cas);
    const auto file = cas->add_file({ByteVector(content.begin(), content.begin() + 100'000)});
    Clock::time_point begun;
    {
      UploadSession up(client, {});
      up.add_bytes("it", content);
      auto pushed = up.add_stream("stream");
      EXPECT_THAT(pushed.write(ByteSpan(content).first(3 * kMiB)), IsOk());
      DownloadSession down(client, {});
      for (int i = 0; i < 10; ++i) down.add({.file = file, .destination = dir / std::to_string(i)});
      std::this_thread::sleep_for(moment(round) / 4);
      begun = Clock::now();
    }
    EXPECT_LT(Clock::now() - begun, kSoon);
    EXPECT_EQ(cas->n_files(), 1U);
    for (const auto& name : names_in(dir.path())) {
      EXPECT_FALSE(io::AtomicFile::is_temp_name(name)) << name;
    }
  }
}

TEST_F(Cancel, OfASessionThatWaitsForMemory) {
  const auto client = client_of(std::make_shared<FakeCas>());
  const auto all = client->impl()->budget().reserve(64 * kMiB, {});
  for (int kind = 0; kind < 4; ++kind) {
    FireLater canceller(std::chrono::milliseconds(5));
    SessionOptions options;
    options.stop = canceller.token();
    switch (kind) {
      case 0: {
        UploadSession session(client, {.session = options});
        EXPECT_THAT(session.commit(), FailsWith(ErrorCode::kCancelled));
        break;
      }
      case 1: {
        DownloadSession session(client, {.session = options});
        session.add({.file = FileHash(random_hash(1)), .destination = "never made"});
        EXPECT_THAT(session.wait()[0], FailsWith(ErrorCode::kCancelled));
        break;
      }
      case 2:
        EXPECT_THAT(stream(client, FileHash(random_hash(1)), std::nullopt, options),
                    FailsWith(ErrorCode::kCancelled));
        break;
      default:
        EXPECT_THAT(hash_files(client, {"never read"}, {}, options)[0], FailsWith(ErrorCode::kCancelled));
    }
    EXPECT_LT(canceller.since(), kSoon);
  }
}

}  // namespace
}  // namespace xet
