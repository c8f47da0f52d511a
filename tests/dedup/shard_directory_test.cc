#include "dedup/shard_directory.h"

#include <gtest/gtest.h>

#include "format/shard.h"
#include "hash/blake3.h"
#include "support/generators.h"
#include "support/matchers.h"
#include "support/temp_dir.h"

namespace xet::dedup {
namespace {

using namespace testing;
namespace fs = std::filesystem;

constexpr uint64_t kNow = 1'700'000'000;

ByteVector shard(uint64_t seed, uint64_t expiry_s = kNow + 1000, size_t n_chunks = 3) {
  format::Shard out;
  format::XorbRecord record{XorbHash(random_hash(seed)), {}, 0, 0};
  for (size_t i = 0; i < n_chunks; ++i) {
    record.chunks.push_back({ChunkHash(random_hash(seed * 1000 + i)), record.unpacked_bytes, 10'000, 0});
    record.unpacked_bytes += 10'000;
  }
  out.xorbs.push_back(std::move(record));
  return out.to_stored_form({.creation_s = kNow, .expiry_s = expiry_s, .has_tables = true});
}

void set_age(const fs::path& path, int64_t seconds_before_now) {
  const auto when =
      std::chrono::sys_seconds(std::chrono::seconds(static_cast<int64_t>(kNow) - seconds_before_now));
  fs::last_write_time(path, std::chrono::file_clock::from_sys(when));
}

TEST(ShardDirectory, WritesUnderTheHashOfTheBytes) {
  const TempDir dir;
  const auto bytes = shard(1);
  const auto path = write_shard(dir / "made" / "for it", bytes);
  ASSERT_THAT(path, IsOk());
  EXPECT_EQ(path->filename().string(), hash::shard_hash(bytes).hex() + ".mdb");
  EXPECT_EQ(read_bytes(*path), bytes);
  EXPECT_THAT(write_shard("/dev/null/nowhere", bytes), FailsWith(ErrorCode::kIo));
}

TEST(ShardDirectory, AMissingOneHasNone) {
  EXPECT_TRUE(usable_shards("/dev/null/nowhere", kNow).empty());
}

TEST(ShardDirectory, ListsTheNewestFirst) {
  const TempDir dir;
  std::vector<fs::path> paths;
  for (uint64_t i = 0; i < 5; ++i) {
    paths.insert(paths.begin(), *write_shard(dir.path(), shard(i)));
    set_age(paths.front(), 100 - static_cast<int64_t>(i));
  }
  EXPECT_EQ(usable_shards(dir.path(), kNow), paths);
}

TEST(ShardDirectory, PassesOverWhatIsNoShard) {
  const TempDir dir;
  const auto good = *write_shard(dir.path(), shard(1));
  write_bytes(dir / "notes.txt", random_bytes(100, 1));
  write_bytes(dir / "short.mdb", random_bytes(100, 1));
  write_bytes(dir / (std::string(64, 'a') + ".mdb"), random_bytes(1000, 1));
  write_bytes(dir / (std::string(64, 'b') + ".mdb"), {});
  fs::create_directory(dir / (std::string(64, 'c') + ".mdb"));
  fs::create_symlink("nowhere", dir / (std::string(64, 'd') + ".mdb"));
  EXPECT_EQ(usable_shards(dir.path(), kNow), std::vector<fs::path>{good});
  EXPECT_TRUE(fs::exists(dir / "notes.txt"));
}

TEST(ShardDirectory, ExpiredOnesAreNotUsedAndRemovedAWeekLater) {
  const TempDir dir;
  constexpr uint64_t kWeek = 7 * 24 * 3600;
  const auto today = *write_shard(dir.path(), shard(1, kNow));
  const auto yesterday = *write_shard(dir.path(), shard(2, kNow - 1));
  const auto long_ago = *write_shard(dir.path(), shard(3, kNow - kWeek));
  EXPECT_EQ(usable_shards(dir.path(), kNow), std::vector<fs::path>{today});
  EXPECT_TRUE(fs::exists(yesterday));
  EXPECT_FALSE(fs::exists(long_ago));
}

TEST(ShardDirectory, OldTemporaryFilesAreRemovedAndFreshOnesLeft) {
  const TempDir dir;
  const auto old = dir / ".x.0123456789abcdef.xet-tmp";
  const auto fresh = dir / ".y.0123456789abcdef.xet-tmp";
  for (const auto& path : {old, fresh}) write_bytes(path, random_bytes(10, 1));
  set_age(old, 25 * 3600);
  set_age(fresh, 3600);
  EXPECT_TRUE(usable_shards(dir.path(), kNow).empty());
  EXPECT_FALSE(fs::exists(old));
  EXPECT_TRUE(fs::exists(fresh));
}

TEST(ShardDirectory, BeyondTheLimitTheOldestGo) {
  const TempDir dir;
  std::vector<fs::path> paths;
  for (uint64_t i = 0; i < 4; ++i) {
    paths.push_back(*write_shard(dir.path(), shard(i)));
    set_age(paths.back(), static_cast<int64_t>(i));
  }
  const auto size = fs::file_size(paths[0]);
  EXPECT_EQ(usable_shards(dir.path(), kNow, 2 * size + 1), std::vector<fs::path>({paths[0], paths[1]}));
  EXPECT_FALSE(fs::exists(paths[2]));
  EXPECT_FALSE(fs::exists(paths[3]));
}

}  // namespace
}  // namespace xet::dedup
