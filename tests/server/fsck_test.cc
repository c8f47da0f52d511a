#include "server/core/fsck.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "server/service.h"
#include "server/store/object_key.h"
#include "server/store/sqlite.h"
#include "support/generators.h"
#include "support/matchers.h"
#include "support/temp_dir.h"

namespace xet::testing {
namespace {

namespace fs = std::filesystem;
using Kind = core::FsckFinding::Kind;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

/// A store with two files: a small one over two xorbs, and one whose manifest is an object.
class Fsck : public ::testing::Test {
 protected:
  Fsck() {
    service_.put_xorb(kOwner, a_).value();
    service_.put_xorb(kOwner, b_).value();
    service_.put_shard(kOwner, shard_).value();
    // Objects have the times of the machine, which the walk compares with the store's clock.
    const auto now = std::chrono::system_clock::now() + std::chrono::hours(1);
    service_.clock().advance(
        std::chrono::duration_cast<std::chrono::milliseconds>(now - service_.clock().wall_now()));
  }

  /// The kinds of all findings, in order; with them `found_`.
  std::vector<Kind> kinds(bool deep) {
    found_.clear();
    const auto summary =
        service_->fsck({.deep = deep}, [&](const core::FsckFinding& each) { found_.push_back(each); }, {});
    EXPECT_THAT(summary, IsOk());
    if (!summary) return {};
    summary_ = *summary;
    std::vector<Kind> out;
    uint64_t orphans = 0;
    for (const auto& each : found_) {
      out.push_back(each.kind);
      orphans += each.kind == Kind::kOrphan ? 1 : 0;
      EXPECT_FALSE(each.object.empty());
      EXPECT_EQ(each.message.find('\n'), std::string::npos);
    }
    EXPECT_EQ(summary_.orphans, orphans);
    EXPECT_EQ(summary_.damages, out.size() - orphans);
    EXPECT_EQ(summary_.sound(), summary_.damages == 0);
    return out;
  }
  void change(const fs::path& path, const std::function<void(ByteVector&)>& how) {
    auto bytes = read_bytes(dir_ / path);
    how(bytes);
    write_bytes(dir_ / path, bytes);
  }
  Status execute(const char* sql) {
    XET_TRY(auto connection, store::sqlite::Connection::open(
                                 dir_ / "meta.sqlite", {.health = std::make_shared<store::SyncHealth>()}));
    return connection->execute(sql);
  }
  static std::vector<ChunkRun> fragmented(const SampleXorb& xorb) {
    std::vector<ChunkRun> out;
    for (uint32_t i = 0; i < 2500; ++i) out.push_back({&xorb, (i * 7) % 40, (i * 7) % 40 + 1});
    return out;
  }

  const TempDir dir_;
  Service service_{dir_.path()};
  const SampleXorb a_ = make_xorb(40, 1, 20, 200);
  const SampleXorb b_ = make_xorb(5, 2);
  const format::FileRecord small_ = make_file({{&a_, 3, 9}, {&b_, 0, 5}});
  const format::FileRecord large_ = make_file(fragmented(a_));
  const ByteVector shard_ = make_shard({small_, large_}, {&a_, &b_});
  const std::string a_key_ = store::xorb_key(a_.hash, 0).path;
  const std::string b_key_ = store::xorb_key(b_.hash, 0).path;
  const std::string manifest_key_ = store::manifest_key(large_.hash, 0).path;
  std::vector<core::FsckFinding> found_;
  core::FsckSummary summary_;
};

TEST_F(Fsck, FindsNothingInASoundStore) {
  for (const bool deep : {false, true}) {
    EXPECT_THAT(kinds(deep), IsEmpty()) << deep;
    EXPECT_EQ(summary_.xorbs, 2U);
    EXPECT_EQ(summary_.shards, 1U);
    EXPECT_EQ(summary_.files, 2U);
    EXPECT_EQ(summary_.objects, 4U);
    EXPECT_TRUE(summary_.sound());
  }
  EXPECT_GE(summary_.bytes_read, a_.body.size() + b_.body.size() + shard_.size());
}

TEST_F(Fsck, FindsNothingInAnEmptyStoreAndOneWithTheEmptyFile) {
  const TempDir dir;
  Service service(dir.path());
  const auto summary = service->fsck({.deep = true}, {}, {});
  ASSERT_THAT(summary, IsOk());
  EXPECT_TRUE(summary->sound());
  EXPECT_EQ(summary->objects, 0U);
  ASSERT_THAT(service.put_shard(kOwner, make_shard({make_file({})}, {})), IsOk());
  EXPECT_EQ(service->fsck({.deep = true}, {}, {})->files, 1U);
  EXPECT_TRUE(service->fsck({.deep = true}, {}, {})->sound());
}

TEST_F(Fsck, AMissingXorb) {
  fs::remove(dir_ / b_key_);
  for (const bool deep : {false, true}) {
    EXPECT_THAT(kinds(deep), ElementsAre(Kind::kXorbMissing));
    EXPECT_EQ(found_[0].object, "xorb " + b_.hash.hex());
  }
}

TEST_F(Fsck, AXorbOfAnotherLength) {
  change(b_key_, [](ByteVector& bytes) { bytes.pop_back(); });
  EXPECT_THAT(kinds(false), ElementsAre(Kind::kXorbLength));
  change(b_key_, [](ByteVector& bytes) { bytes.resize(bytes.size() + 2); });
  EXPECT_THAT(kinds(true), ElementsAre(Kind::kXorbLength));
}

TEST_F(Fsck, ADamagedFooterShowsQuickly) {
  change(b_key_, [](ByteVector& bytes) { bytes[bytes.size() - 30] ^= std::byte{1}; });
  const TempDir dir;  // without footers in memory
  fs::copy(dir_.path(), dir.path(), fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  Service service(dir.path());
  std::vector<Kind> found;
  ASSERT_THAT(service->fsck({}, [&](const auto& each) { found.push_back(each.kind); }, {}), IsOk());
  EXPECT_THAT(found, ElementsAre(Kind::kXorbDamaged));
  EXPECT_THAT(kinds(true), ElementsAre(Kind::kXorbDamaged));
}

TEST_F(Fsck, EveryFlippedByteOfAXorbIsFoundDeep) {
  const size_t size = read_bytes(dir_ / b_key_).size();
  SplitMix64 random(4);
  for (size_t at = 0; at < size; at += 1 + random.below(80)) {
    if (at >= size - 20 && at < size - 4) continue;  // room that nothing covers
    change(b_key_, [&](ByteVector& bytes) { bytes[at] ^= std::byte{0x20}; });
    EXPECT_THAT(kinds(true), ElementsAre(Kind::kXorbDamaged)) << at;
    EXPECT_EQ(found_[0].object, "xorb " + b_.hash.hex());
    change(b_key_, [&](ByteVector& bytes) { bytes[at] ^= std::byte{0x20}; });
  }
  EXPECT_THAT(kinds(true), IsEmpty());
}

TEST_F(Fsck, ARowThatDescribesAnotherXorb) {
  ASSERT_THAT(execute("UPDATE xorbs SET raw_size = raw_size + 1, n_chunks = n_chunks + 1 WHERE xorb_id = 2"),
              IsOk());
  EXPECT_THAT(kinds(true), ElementsAre(Kind::kXorbDamaged));
}

TEST_F(Fsck, AShardMissingShortOrChanged) {
  const auto objects = objects_in(dir_.path());
  const auto shard =
      *std::find_if(objects.begin(), objects.end(), [](auto& o) { return o.starts_with("s/"); });
  change(shard, [](ByteVector& bytes) { bytes[100] ^= std::byte{1}; });
  EXPECT_THAT(kinds(false), IsEmpty());
  EXPECT_THAT(kinds(true), ElementsAre(Kind::kShardDamaged));
  change(shard, [](ByteVector& bytes) { bytes.pop_back(); });
  EXPECT_THAT(kinds(false), ElementsAre(Kind::kShardLength));
  fs::remove(dir_ / shard);
  EXPECT_THAT(kinds(false), ElementsAre(Kind::kShardMissing));
}

TEST_F(Fsck, AManifestMissingOrDamaged) {
  const auto good = read_bytes(dir_ / manifest_key_);
  change(manifest_key_, [](ByteVector& bytes) { bytes.pop_back(); });
  EXPECT_THAT(kinds(false), ElementsAre(Kind::kManifestDamaged));
  EXPECT_EQ(found_[0].object, "file " + large_.hash.hex());
  write_bytes(dir_ / manifest_key_, good);
  change(manifest_key_, [](ByteVector& bytes) { bytes[8] ^= std::byte{1}; });  // the file's size
  EXPECT_THAT(kinds(false), ElementsAre(Kind::kManifestDamaged));
  write_bytes(dir_ / manifest_key_, good);
  // The chunks of the first term: nothing contradicts itself, but the file is another one.
  change(manifest_key_, [](ByteVector& bytes) {
    bytes[24 + 44 + 12] = std::byte{20};
    bytes[24 + 44 + 16] = std::byte{21};
  });
  EXPECT_THAT(kinds(false), IsEmpty());
  EXPECT_THAT(kinds(true), ElementsAre(Kind::kManifestDamaged));
  fs::remove(dir_ / manifest_key_);
  EXPECT_THAT(kinds(false), ElementsAre(Kind::kManifestMissing));
}

TEST_F(Fsck, AFileWhoseChunksMakeAnotherHash) {
  ASSERT_THAT(execute("UPDATE file_recon SET file_hash = zeroblob(32) WHERE inline_manifest IS NOT NULL; "
                      "UPDATE repo_files SET file_hash = zeroblob(32) WHERE size = "
                      "(SELECT size FROM file_recon WHERE file_hash = zeroblob(32))"),
              IsOk());
  EXPECT_THAT(kinds(false), IsEmpty());
  EXPECT_THAT(kinds(true), ElementsAre(Kind::kFileHash));
}

TEST_F(Fsck, AFileWhoseXorbIsLost) {
  ASSERT_THAT(execute("UPDATE xorbs SET state = 4 WHERE xorb_id = 2"), IsOk());
  EXPECT_THAT(kinds(false), UnorderedElementsAre(Kind::kFileXorbLost, Kind::kOrphan));
  EXPECT_EQ(found_[0].object, "file " + small_.hash.hex());
  EXPECT_THAT(found_[0].message, ::testing::HasSubstr(b_.hash.hex()));
}

TEST_F(Fsck, RowsThatContradictEachOther) {
  ASSERT_THAT(execute("DELETE FROM shards"), IsOk());
  EXPECT_THAT(kinds(false), UnorderedElementsAre(Kind::kDatabase, Kind::kDatabase, Kind::kOrphan));
  ASSERT_THAT(execute("DELETE FROM shard_xorbs; DELETE FROM file_recon; DELETE FROM key_chunks"), IsOk());
  // The receipts are left; shard and manifest belong to nobody now.
  EXPECT_THAT(kinds(false), UnorderedElementsAre(Kind::kDatabase, Kind::kOrphan, Kind::kOrphan));
}

TEST_F(Fsck, ADamagedDatabase) {
  ASSERT_THAT(execute("PRAGMA wal_checkpoint(TRUNCATE); CREATE TABLE filler(x); "
                      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) "
                      "INSERT INTO filler SELECT randomblob(500) FROM n"),
              IsOk());
  ASSERT_THAT(execute("PRAGMA wal_checkpoint(TRUNCATE)"), IsOk());
  const TempDir dir;
  fs::copy(dir_.path(), dir.path(), fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  auto bytes = read_bytes(dir / "meta.sqlite");
  for (size_t at = bytes.size() - 40'000; at < bytes.size() - 8'000; ++at) bytes[at] = std::byte{0xff};
  write_bytes(dir / "meta.sqlite", bytes);
  Service service(dir.path());
  const auto summary = service->fsck({}, [&](const auto& each) { found_.push_back(each); }, {});
  ASSERT_THAT(summary, IsOk());
  EXPECT_FALSE(summary->sound());
  ASSERT_FALSE(found_.empty());
  EXPECT_EQ(found_[0].kind, Kind::kDatabase);
}

TEST_F(Fsck, ObjectsWithoutRows) {
  const auto folder = (dir_ / a_key_).parent_path();
  write_bytes(folder / (a_.hash.hex() + ".7"), random_bytes(100, 1));
  write_bytes(folder / "notes.txt", random_bytes(20, 1));
  write_bytes(dir_ / "m" / "stray", random_bytes(3, 1));
  EXPECT_THAT(kinds(false), ElementsAre(Kind::kOrphan, Kind::kOrphan, Kind::kOrphan));
  EXPECT_EQ(summary_.orphan_bytes, 123U);
  EXPECT_TRUE(summary_.sound());
  std::vector<std::string> objects;
  for (const auto& each : found_) objects.push_back(each.object);
  EXPECT_THAT(objects, UnorderedElementsAre(store::xorb_key(a_.hash, 7).path,
                                            fs::path(a_key_).parent_path() / "notes.txt", "m/stray"));
}

TEST_F(Fsck, AnObjectYoungerThanTheWalkIsNoFinding) {
  service_.clock().advance(-std::chrono::hours(1));
  fs::create_directories(dir_ / "x" / "zz");
  write_bytes(dir_ / "x" / "zz" / "young", random_bytes(100, 1));
  EXPECT_THAT(kinds(false), IsEmpty());
  service_.clock().advance(std::chrono::minutes(2));
  EXPECT_THAT(kinds(false), ElementsAre(Kind::kOrphan));
}

TEST_F(Fsck, CanBeStopped) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_THAT(service_->fsck({}, {}, stop.get_token()), FailsWith(ErrorCode::kCancelled));
}

TEST_F(Fsck, ChangesNothing) {
  fs::remove(dir_ / b_key_);
  write_bytes(dir_ / "x" / "stray", random_bytes(3, 1));
  const auto before = objects_in(dir_.path());
  EXPECT_EQ(kinds(true).size(), 2U);
  EXPECT_EQ(objects_in(dir_.path()), before);
  EXPECT_EQ(kinds(true).size(), 2U);
}

TEST(FsckFinding, EveryKindHasAName) {
  for (int i = 0; i <= static_cast<int>(Kind::kOrphan); ++i) {
    EXPECT_NE(core::to_string(static_cast<Kind>(i)), "unknown");
  }
}

}  // namespace
}  // namespace xet::testing
