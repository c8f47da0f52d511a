#include "server/hub/lfs_upload.h"

#include <gmock/gmock.h>

#include "hub/hub_fixture.h"
#include "server/core/file_reader.h"

namespace xet::testing {
namespace {

using hub::Reason;

class LfsUploads : public ::testing::Test, public HubFixture {
 protected:
  LfsUploads() {
    content.resize(3'000'000);
    uint64_t state = 7;
    for (auto& byte : content) {
      state = state * 6364136223846793005 + 1442695040888963407;
      byte = static_cast<std::byte>(state >> 56);
    }
  }
  hub::Done put(const Sha256Digest& sha256, uint64_t size, ByteSpan bytes) {
    auto upload = must(uploads.begin(repo.id, sha256, size));
    for (size_t at = 0; at < bytes.size(); at += 100'000) {
      const auto done = upload->write(bytes.subspan(at, std::min<size_t>(100'000, bytes.size() - at)));
      if (!done) return done;
    }
    return upload->finish({});
  }
  ByteVector content;
  const store::HubRepository repo = make(model("alice", "one"));
  hub::LfsUploads uploads{*store.service, dir / "lfs"};
};

TEST_F(LfsUploads, MakeAFileOfTheRepository) {
  const auto sha256 = hash::sha256(content);
  ASSERT_TRUE(put(sha256, content.size(), content));
  const auto file = must(hub.lfs_file(repo, sha256));
  ASSERT_TRUE(file);
  EXPECT_EQ(file->size_bytes, content.size());
  core::FileReader source(*store.service, {.repository = repo.id}, file->file);
  ByteVector piece;
  ByteVector all;
  while (all.size() < content.size()) {
    ASSERT_TRUE(source.read(all.size(), content.size(), piece));
    append_bytes(all, piece);
  }
  EXPECT_EQ(all, content);
  // Any range, wherever chunks end.
  for (const auto& [begin, end] : std::vector<std::pair<uint64_t, uint64_t>>{
           {0, 1}, {1'234'567, 1'234'570}, {2'999'999, 3'000'000}, {100, 200'000}}) {
    all.clear();
    while (all.size() < end - begin) {
      ASSERT_TRUE(source.read(begin + all.size(), end, piece));
      append_bytes(all, piece);
    }
    EXPECT_TRUE(std::ranges::equal(all, ByteSpan(content).subspan(begin, end - begin))) << begin;
  }
  // Nobody else's.
  const auto other = make(model("alice", "two"));
  core::FileReader foreign(*store.service, {.repository = other.id}, file->file);
  EXPECT_EQ(foreign.read(0, 10, piece).error().code, ErrorCode::kNotFound);
}

TEST_F(LfsUploads, AreRefusedUnlessTheyAreWhatTheySay) {
  const auto sha256 = hash::sha256(content);
  const auto before = must(store.service->stats()).xorbs;
  EXPECT_EQ(put(sha256, content.size() + 1, content).error().reason, Reason::kInvalid);
  EXPECT_EQ(put(sha256, content.size() - 1, content).error().reason, Reason::kInvalid);
  EXPECT_EQ(put(hash::sha256({}), content.size(), content).error().reason, Reason::kInvalid);
  EXPECT_FALSE(must(hub.lfs_file(repo, sha256)));
  EXPECT_EQ(must(store.service->stats()).xorbs, before) << "nothing was stored";
  EXPECT_TRUE(std::filesystem::is_empty(dir / "lfs/incoming"));
}

TEST_F(LfsUploads, DoNotOpenMoreAndMoreOfEarlierOnes) {
  for (int i = 0; i < 70; ++i) {
    const ByteVector small(100, static_cast<std::byte>(i));
    ASSERT_TRUE(put(hash::sha256(small), small.size(), small));
  }
  const std::filesystem::directory_iterator kept(dir / "lfs" / std::to_string(repo.id) / "shard-cache");
  EXPECT_LE(std::distance(begin(kept), end(kept)), 65) << "64, and that of the last upload";
}

TEST_F(LfsUploads, OfNothing) {
  ASSERT_TRUE(put(hash::sha256({}), 0, {}));
  EXPECT_TRUE(must(hub.lfs_file(repo, hash::sha256({}))));
}

}  // namespace
}  // namespace xet::testing
