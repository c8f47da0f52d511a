#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <semaphore>
#include <thread>

#include "base/sync.h"
#include "format/xorb.h"
#include "server/crash_scenario.h"
#include "server/helper_process.h"
#include "server/sample_store.h"
#include "server/store/sqlite_meta_store.h"
#include "support/generators.h"
#include "support/matchers.h"
#include "support/temp_dir.h"

namespace xet::testing {
namespace {

/// Runs `work(i)` on n threads that start together.
template <class Work>
void on_threads(size_t n, const Work& work) {
  std::atomic<bool> go{false};
  std::vector<std::jthread> threads;
  for (size_t i = 0; i < n; ++i) {
    threads.emplace_back([&, i] {
      while (!go.load()) std::this_thread::yield();
      work(i);
    });
  }
  go = true;
}

TEST(ConcurrentStores, OneOfManyWritersOfAXorbInsertsIt) {
  const TempDir dir;
  const auto first = open_store(dir.path());
  const auto second = open_store(dir.path());
  for (uint64_t round = 0; round < 10; ++round) {
    const auto xorb = make_xorb(10, round);
    std::atomic<int> inserted{0};
    on_threads(8, [&](size_t i) {
      const auto put = Store(i % 2 == 0 ? *first : *second).put_xorb(xorb);
      EXPECT_THAT(put, IsOk());
      if (put && put->was_inserted) ++inserted;
    });
    EXPECT_EQ(inserted, 1);
    EXPECT_EQ(*Store(*first).fetch(xorb.hash, {.chunks = {0, 10}, .bytes = {0, xorb.body.size()}}),
              xorb.body);
  }
  EXPECT_EQ(objects_in(dir.path()).size(), 10U);  // no second object, no temporary file
}

TEST(ConcurrentStores, ManyCanMakeAStoreTogether) {
  const TempDir dir;
  for (int round = 0; round < 5; ++round) {
    const auto directory = dir / std::to_string(round);
    on_threads(6, [&](size_t i) {
      const auto cas = server::open_local_cas(directory, {.threads = 2});
      ASSERT_THAT(cas, IsOk());
      EXPECT_THAT(Store(**cas).put_xorb(make_xorb(2, i)), IsOk());
    });
    EXPECT_EQ(objects_in(directory).size(), 6U);
  }
}

TEST(ConcurrentStores, RegisterTheSameFilesWithoutLosingAny) {
  const TempDir dir;
  const auto first = open_store(dir.path());
  const auto second = open_store(dir.path());
  const CrashScenario scenario;
  const auto large = make_file(scenario.large_runs);
  on_threads(8, [&](size_t i) {
    Store store(i % 2 == 0 ? *first : *second);
    const auto own = make_xorb(3, 500 + i);
    EXPECT_THAT(store.put_xorb(scenario.a), IsOk());
    EXPECT_THAT(store.put_xorb(scenario.b), IsOk());
    EXPECT_THAT(store.put_xorb(own), IsOk());
    EXPECT_THAT(store.put_shard(make_shard({large, make_file({{&own, 0, 3}})}, {&own})), IsOk());
    EXPECT_EQ(*store.read(large.hash), content_of(scenario.large_runs));
  });
}

TEST(ConcurrentStores, ProcessesShareADirectory) {
  const TempDir dir;
  {
    HelperProcess one("write", 1, dir / "store");
    HelperProcess two("write", 2, dir / "store");
    HelperProcess three("write", 3, dir / "store");
    EXPECT_EQ(one.wait(), 0);
    EXPECT_EQ(two.wait(), 0);
    EXPECT_EQ(three.wait(), 0);
  }
  const auto cas = open_store(dir / "store");
  Store store(*cas);
  for (const auto& xorb : shared_xorbs()) {
    EXPECT_EQ(*store.read(make_file({{&xorb, 1, 3}}).hash), content_of({{&xorb, 1, 3}}));
  }
  size_t n_xorbs = 0;
  for (const auto& object : objects_in(dir / "store")) {
    EXPECT_FALSE(object.starts_with("tmp/")) << object;
    if (object.starts_with("x/")) {
      ++n_xorbs;
      EXPECT_TRUE(object.ends_with(".0")) << object;
    }
  }
  EXPECT_EQ(n_xorbs, 8U + 3U * 24U);
}

TEST(GroupCommit, KeepsTheWorkOfEveryThreadApart) {
  const TempDir dir;
  const auto health = std::make_shared<store::SyncHealth>();
  const auto meta = std::make_unique<store::SqliteMetaStore>(
      *store::SqliteDatabase::open(dir / "meta.sqlite", {.health = health}));
  std::atomic<int> refused{0};
  on_threads(8, [&](size_t i) {
    for (uint64_t k = 0; k < 20; ++k) {
      const store::XorbRow row{.hash = XorbHash(random_hash(i * 100 + k)), .object_bytes = 1, .n_chunks = 1};
      const auto insert = meta->insert_xorb(k % 5 == 4 ? 99 : store::kLocalRepository, row);
      if (!insert) ++refused;
      EXPECT_EQ(insert.has_value(), k % 5 != 4);
      EXPECT_EQ(meta->find_xorb(row.hash)->usable.has_value(), insert.has_value());
    }
  });
  EXPECT_EQ(refused, 8 * 4);
}

/// A receiver that has room only when the test says so.
class StubbornSink final : public cas::FetchSink {
 public:
  MutableByteSpan room(UniqueFunction<void()> resume) override {
    if (open_.exchange(false)) return buffer_;
    {
      auto waiting = waiting_.lock();
      *waiting = std::move(resume);
    }
    asked_.release();
    return {};
  }
  void filled(size_t n_bytes) override { append_bytes(received_, ByteSpan(buffer_).first(n_bytes)); }

  /// Waits until the sender has been turned away.
  void wait_until_asked() { asked_.acquire(); }
  void give_room() {
    open_ = true;
    resume();
  }
  void resume() {
    auto waiting = std::exchange(*waiting_.lock(), {});
    waiting();
  }
  const ByteVector& received() const { return received_; }

 private:
  std::atomic<bool> open_{false};
  ByteVector buffer_ = ByteVector(100);
  Sync<UniqueFunction<void()>> waiting_;
  std::counting_semaphore<> asked_{0};
  ByteVector received_;
};

class PacedFetch : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_THAT(Store(*cas_).put_xorb(xorb_), IsOk()); }
  std::future<Status> start(const std::shared_ptr<StubbornSink>& sink, std::stop_token stop = {}) {
    auto promise = std::make_shared<std::promise<Status>>();
    cas_->fetch(
        {.xorb = xorb_.hash, .range = {.chunks = {0, 4}, .bytes = {0, xorb_.body.size()}}, .sink = sink},
        std::move(stop), [promise](Status status) { promise->set_value(std::move(status)); });
    return promise->get_future();
  }

  const TempDir dir_;
  std::unique_ptr<cas::Cas> cas_ = *server::open_local_cas(dir_.path(), {.threads = 2});
  const SampleXorb xorb_ = make_xorb(4, 1, 200, 400);
};

TEST_F(PacedFetch, DeliversAtThePaceOfTheReceiver) {
  const auto sink = std::make_shared<StubbornSink>();
  auto done = start(sink);
  for (size_t left = xorb_.body.size(); left > 0; left -= std::min<size_t>(left, 100)) {
    sink->wait_until_asked();
    sink->give_room();
  }
  EXPECT_THAT(done.get(), IsOk());
  EXPECT_EQ(sink->received(), xorb_.body);
}

TEST_F(PacedFetch, HoldsNoThreadWhileReceiversWait) {
  std::vector<std::shared_ptr<StubbornSink>> sinks;
  std::vector<std::future<Status>> done;
  for (int i = 0; i < 10; ++i) {
    sinks.push_back(std::make_shared<StubbornSink>());
    done.push_back(start(sinks.back()));
  }
  for (const auto& sink : sinks) sink->wait_until_asked();
  EXPECT_THAT(Store(*cas_).put_xorb(make_xorb(2, 7)), IsOk());  // two threads, ten waiting receivers
  for (size_t i = 0; i < sinks.size(); ++i) {
    sinks[i]->give_room();
    for (size_t left = xorb_.body.size() - 100; left > 0; left -= std::min<size_t>(left, 100)) {
      sinks[i]->wait_until_asked();
      sinks[i]->give_room();
    }
    EXPECT_THAT(done[i].get(), IsOk());
    EXPECT_EQ(sinks[i]->received(), xorb_.body);
  }
}

TEST_F(PacedFetch, IsCancelledWhileTheReceiverWaits) {
  for (int round = 0; round < 20; ++round) {
    const auto sink = std::make_shared<StubbornSink>();
    std::stop_source stop;
    auto done = start(sink, stop.get_token());
    sink->wait_until_asked();
    stop.request_stop();
    EXPECT_THAT(done.get(), FailsWith(ErrorCode::kCancelled));
    sink->resume();  // late, and without effect
  }
}

TEST_F(PacedFetch, CancelAndResumeMayCoincide) {
  for (int round = 0; round < 50; ++round) {
    const auto sink = std::make_shared<StubbornSink>();
    std::stop_source stop;
    auto done = start(sink, stop.get_token());
    sink->wait_until_asked();
    on_threads(2, [&](size_t i) { i == 0 ? (void)stop.request_stop() : sink->resume(); });
    EXPECT_THAT(done.get(), FailsWith(ErrorCode::kCancelled));
  }
}

TEST_F(PacedFetch, TheStoreWaitsForItsCallsWhenItGoes) {
  const auto sink = std::make_shared<StubbornSink>();
  std::stop_source stop;
  auto done = start(sink, stop.get_token());
  sink->wait_until_asked();
  std::jthread later([&] { stop.request_stop(); });
  cas_.reset();
  ASSERT_EQ(done.wait_for(std::chrono::seconds(0)), std::future_status::ready);
  EXPECT_THAT(done.get(), FailsWith(ErrorCode::kCancelled));
  later.join();
  sink->resume();
}

TEST(ConcurrentStores, StoppingAnUploadLeavesNothingOrAll) {
  const TempDir dir;
  const auto cas = open_store(dir.path());
  Store store(*cas);
  std::vector<ByteVector> chunks;
  for (uint64_t i = 0; i < 256; ++i) chunks.push_back(random_bytes(format::kMaxChunkBytes, i));
  const auto xorb = pack_xorb(std::move(chunks));  // 32 MiB: several steps
  for (int round = 0; round < 10; ++round) {
    std::stop_source stop;
    std::jthread stopper([&] {
      for (int i = 0; i < round * 2000; ++i) std::this_thread::yield();
      stop.request_stop();
    });
    const auto put = store.put_xorb(xorb.put_body(), stop.get_token());
    stopper.join();
    ASSERT_EQ(*store.xorb_exists(xorb.hash), put.has_value());
    if (put) return;
    ASSERT_THAT(put, FailsWith(ErrorCode::kCancelled));
    EXPECT_TRUE(objects_in(dir.path()).empty());
  }
}

}  // namespace
}  // namespace xet::testing
