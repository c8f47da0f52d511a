#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "server/core/signed_url.h"
#include "server/core/tokens.h"
#include "server/fixed_keys.h"
#include "server/service.h"
#include "support/generators.h"
#include "support/matchers.h"
#include "support/temp_dir.h"

namespace xet::testing {
namespace {

template <class Work>
void on_threads(size_t n, const Work& work) {
  std::vector<std::jthread> threads;
  for (size_t i = 0; i < n; ++i) threads.emplace_back([&work, i] { work(i); });
}

TEST(ConcurrentService, OneOfManyStreamsOfAXorbInsertsIt) {
  const TempDir dir;
  Service service(dir.path());
  for (uint64_t round = 0; round < 5; ++round) {
    const auto xorb = make_xorb(10, round);
    std::atomic<int> inserted{0};
    on_threads(6, [&](size_t i) {
      const auto upload = service->begin_xorb(kOwner, xorb.hash, {});
      ASSERT_THAT(upload, IsOk());
      for (ByteSpan rest(xorb.body); !rest.empty();) {
        const ByteSpan piece = rest.first(std::min<size_t>(rest.size(), 500 + 100 * i));
        rest = rest.subspan(piece.size());
        ASSERT_THAT((*upload)->feed(piece), IsOk());
      }
      const auto is_new = (*upload)->finish();
      ASSERT_THAT(is_new, IsOk());
      if (*is_new) ++inserted;
    });
    EXPECT_EQ(inserted, 1);
  }
  EXPECT_EQ(objects_in(dir.path()).size(), 5U);  // no second object, no temporary file
}

TEST(ConcurrentService, AnUploadMayGoFromThreadToThread) {
  const TempDir dir;
  Service service(dir.path());
  const auto xorb = make_xorb(20, 3);
  const auto upload = service->begin_xorb(kOwner, xorb.hash, {}).value();
  for (ByteSpan rest(xorb.body); !rest.empty();) {
    const ByteSpan piece = rest.first(std::min<size_t>(rest.size(), 7777));
    rest = rest.subspan(piece.size());
    on_threads(1, [&](size_t) { EXPECT_THAT(upload->feed(piece), IsOk()); });
  }
  on_threads(1, [&](size_t) { EXPECT_TRUE(*upload->finish()); });
  EXPECT_EQ(service->open_xorb(xorb.hash)->row.packed_bytes(), xorb.body.size());
}

TEST(ConcurrentService, AWalkOverAStoreThatGrowsFindsNothing) {
  const TempDir dir;
  Service service(dir.path());
  service.clock().advance(std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::system_clock::now() - service.clock().wall_now()));
  std::atomic<bool> stop{false};
  std::atomic<int> writers{0};
  on_threads(3, [&](size_t i) {
    if (i < 2) {
      for (uint64_t n = 0; n < 40 && !stop; ++n) {
        const auto xorb = make_xorb(3, 1000 * i + n);
        service.put_file(kOwner, {&xorb});
      }
      ++writers;
      return;
    }
    do {
      const auto summary = service->fsck(
          {.deep = true},
          [&](const core::FsckFinding& each) { ADD_FAILURE() << each.object << ": " << each.message; }, {});
      ASSERT_THAT(summary, IsOk());
    } while (writers < 2);
    stop = true;
  });
  EXPECT_EQ(service->fsck({}, {}, {})->xorbs, 80U);
}

TEST(ConcurrentService, ARepositoryIsMadeOnce) {
  const TempDir dir;
  Service first(dir.path());
  Service second(dir.path());
  std::atomic<store::RepositoryId> shared{0};
  on_threads(6, [&](size_t i) {
    auto& service = i % 2 == 0 ? first : second;
    for (int n = 0; n < 10; ++n) {
      const auto id = service->repository("model/team/r" + std::to_string(n), true);
      ASSERT_THAT(id, IsOk());
      if (n != 0) continue;
      store::RepositoryId expected = 0;
      EXPECT_TRUE(shared.compare_exchange_strong(expected, *id) || expected == *id);
    }
  });
  EXPECT_EQ(first->stats()->repositories, 11U);
}

TEST(ConcurrentService, CredentialsAreCheckedFromAnyThread) {
  FakeClock clock;
  FixedKeys keys;
  const auto tokens = core::TokenAuthority::open(keys, clock).value();
  const auto urls = core::UrlSigner::open(keys, clock).value();
  std::vector<std::string> texts;
  for (int i = 0; i < 1200; ++i) {  // more than are remembered
    texts.push_back(tokens->issue({.expires_at_s = UINT64_MAX, .id = std::to_string(i)}).value());
  }
  on_threads(4, [&](size_t thread) {
    for (size_t n = 0; n < texts.size(); ++n) {
      const size_t i = (n * (thread + 1)) % texts.size();
      const auto claims = tokens->check(texts[i]);
      ASSERT_THAT(claims, IsOk());
      ASSERT_EQ(claims->id, std::to_string(i));
      const core::UploadGrant grant{.length = i, .expires_at_s = UINT64_MAX};
      ASSERT_EQ(urls->check_grant_id(urls->grant_id(grant)).value(), grant);
    }
  });
}

}  // namespace
}  // namespace xet::testing
