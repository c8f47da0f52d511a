#include <gtest/gtest.h>

#include "server/store/schema.h"
#include "server/store/sqlite_meta_store.h"
#include "support/generators.h"
#include "support/matchers.h"
#include "support/temp_dir.h"

namespace xet::testing {
namespace {

using store::RepositoryId;
using store::ShardCommit;
using store::SqliteMetaStore;
using store::XorbRow;

XorbRow row_of(uint64_t seed, uint32_t generation = 0) {
  return {.hash = XorbHash(random_hash(seed)),
          .generation = generation,
          .object_bytes = 1000,
          .tail_bytes = 136,
          .n_chunks = 1,
          .unpacked_bytes = 900};
}

class Meta : public ::testing::Test {
 protected:
  std::unique_ptr<SqliteMetaStore> open() {
    return std::make_unique<SqliteMetaStore>(*store::SqliteDatabase::open(
        dir_ / "meta.sqlite", {.busy_timeout = std::chrono::milliseconds(5000), .health = health_}));
  }
  /// SQL that only tests have a use for.
  Status execute(const char* sql) {
    XET_TRY(auto connection, store::sqlite::Connection::open(dir_ / "meta.sqlite", {.health = health_}));
    return connection->execute(sql);
  }

  const TempDir dir_;
  const std::shared_ptr<store::SyncHealth> health_ = std::make_shared<store::SyncHealth>();
  std::unique_ptr<SqliteMetaStore> meta_ = open();
};

TEST_F(Meta, RegistersAXorbOnce) {
  EXPECT_FALSE(meta_->find_xorb(row_of(1).hash)->usable.has_value());
  const auto first = meta_->insert_xorb(store::kLocalRepository, row_of(1));
  ASSERT_THAT(first, IsOk());
  EXPECT_TRUE(first->inserted);
  EXPECT_GT(first->row.id, 0U);
  const auto again = meta_->insert_xorb(store::kLocalRepository, row_of(1, 1));
  ASSERT_THAT(again, IsOk());
  EXPECT_FALSE(again->inserted);
  EXPECT_EQ(again->row, first->row);
  const auto found = open()->find_xorb(row_of(1).hash);
  EXPECT_EQ(found->usable, first->row);
  EXPECT_EQ(found->next_generation, 1U);
  EXPECT_NE(meta_->insert_xorb(store::kLocalRepository, row_of(2))->row.id, first->row.id);
}

TEST_F(Meta, RefusesAnUnknownRepository) {
  EXPECT_THAT(meta_->insert_xorb(5, row_of(1)), FailsWith(ErrorCode::kInvalidArgument, "repository 5"));
  EXPECT_THAT(meta_->commit_shard({.repository = 5}), FailsWith(ErrorCode::kInvalidArgument, "repository 5"));
  EXPECT_THAT(meta_->find_key_chunk(5, ChunkHash{}, 1), FailsWith(ErrorCode::kInvalidArgument));
}

TEST_F(Meta, RevivesACondemnedXorbAndReplacesADeletedOne) {
  const auto row = meta_->insert_xorb(store::kLocalRepository, row_of(1))->row;
  ASSERT_THAT(execute("UPDATE xorbs SET state = 1"), IsOk());
  EXPECT_EQ(meta_->find_xorb(row.hash)->usable->state, store::XorbState::kCondemned);
  EXPECT_TRUE(*meta_->revive_xorb(row));
  EXPECT_EQ(meta_->find_xorb(row.hash)->usable->state, store::XorbState::kLive);

  ASSERT_THAT(execute("UPDATE xorbs SET state = 2"), IsOk());
  EXPECT_FALSE(*meta_->revive_xorb(row));
  EXPECT_FALSE(meta_->find_xorb(row.hash)->usable.has_value());
  EXPECT_EQ(meta_->find_xorb(row.hash)->next_generation, 1U);
  const auto renewed = meta_->insert_xorb(store::kLocalRepository, row_of(1, 1));
  ASSERT_THAT(renewed, IsOk());
  EXPECT_TRUE(renewed->inserted);
  EXPECT_EQ(meta_->find_xorb(row.hash)->usable->generation, 1U);
}

TEST_F(Meta, RefusesAShardWhoseXorbIsGoneAndRegistersNothing) {
  const auto a = meta_->insert_xorb(store::kLocalRepository, row_of(1))->row;
  const auto b = meta_->insert_xorb(store::kLocalRepository, row_of(2))->row;
  ASSERT_THAT(execute("UPDATE xorbs SET state = CASE WHEN xorb_id = 1 THEN 1 ELSE 3 END"), IsOk());
  ShardCommit commit{.shard = ShardHash(random_hash(9)), .xorbs = {a, b}};
  commit.files.push_back(
      {.hash = FileHash(random_hash(8)), .size_bytes = 5, .inline_manifest = ByteVector(4)});
  EXPECT_THAT(meta_->commit_shard(commit), FailsWith(ErrorCode::kNotFound, b.hash.hex()));
  EXPECT_FALSE(meta_->find_file(commit.files[0].hash)->has_value());
  EXPECT_EQ(meta_->find_xorb(a.hash)->usable->state, store::XorbState::kCondemned);  // rolled back

  commit.xorbs = {a};
  EXPECT_THAT(meta_->commit_shard(commit), IsOk());
  EXPECT_EQ(meta_->find_xorb(a.hash)->usable->state, store::XorbState::kLive);  // touched
}

TEST_F(Meta, KeepsTheFirstManifestAndFillsInAMissingSha256) {
  ShardCommit commit{.shard = ShardHash(random_hash(1))};
  commit.files.push_back(
      {.hash = FileHash(random_hash(2)), .size_bytes = 5, .n_terms = 1, .inline_manifest = ByteVector(4)});
  EXPECT_TRUE(meta_->commit_shard(commit)->known_files.empty());
  commit.shard = ShardHash(random_hash(3));
  commit.files[0].inline_manifest = ByteVector(9);
  commit.files[0].sha256 = Sha256Digest(random_hash(4));
  EXPECT_EQ(meta_->commit_shard(commit)->known_files, std::vector<size_t>{0});
  EXPECT_EQ((*meta_->find_file(commit.files[0].hash))->inline_manifest, ByteVector(4));
  EXPECT_THAT(execute("CREATE TABLE expect(x CHECK (x = 1)); INSERT INTO expect "
                      "SELECT count(*) FROM repo_files WHERE sha256 IS NOT NULL"),
              IsOk());
}

TEST_F(Meta, GrantsReadingToTheRepositoryThatRegistered) {
  ASSERT_THAT(execute("INSERT INTO namespaces VALUES (1, 'other'); INSERT INTO repos(repo_id, ns_id, type, "
                      "name) VALUES (7, 1, 0, 'r')"),
              IsOk());
  const FileHash file(random_hash(2));
  ShardCommit commit{.repository = 7, .shard = ShardHash(random_hash(1))};
  commit.files.push_back({.hash = file, .inline_manifest = ByteVector(4)});
  ASSERT_THAT(meta_->commit_shard(commit), IsOk());
  EXPECT_TRUE(*meta_->may_read(7, file));
  EXPECT_FALSE(*meta_->may_read(store::kLocalRepository, file));
}

TEST_F(Meta, TellsKeyChunksInsideTheirNamespaceOnly) {
  ASSERT_THAT(execute("INSERT INTO namespaces VALUES (1, 'other'); INSERT INTO repos(repo_id, ns_id, type, "
                      "name) VALUES (7, 1, 0, 'r')"),
              IsOk());
  ShardCommit commit{.repository = 7, .shard = ShardHash(random_hash(1))};
  commit.xorbs = {meta_->insert_xorb(7, row_of(1))->row, meta_->insert_xorb(7, row_of(2))->row};
  const ChunkHash chunk(random_hash(5));
  commit.key_chunks = {{.hash = chunk, .xorb_index = 1}};
  ASSERT_THAT(meta_->commit_shard(commit), IsOk());
  EXPECT_TRUE(meta_->find_key_chunk(store::kLocalRepository, chunk, 8)->empty());
  const auto found = meta_->find_key_chunk(7, chunk, 8);
  ASSERT_THAT(found, IsOk());
  ASSERT_EQ(found->size(), 2U);
  EXPECT_EQ((*found)[0], commit.xorbs[1]);
  EXPECT_EQ((*found)[1], commit.xorbs[0]);
}

TEST_F(Meta, ForgetsKeyChunksOfDeletedXorbsUntilTheyAreFoundElsewhere) {
  const ChunkHash chunk(random_hash(5));
  ShardCommit commit{.shard = ShardHash(random_hash(1)), .key_chunks = {{.hash = chunk, .xorb_index = 0}}};
  commit.xorbs = {meta_->insert_xorb(store::kLocalRepository, row_of(1))->row};
  ASSERT_THAT(meta_->commit_shard(commit), IsOk());
  commit.shard = ShardHash(random_hash(2));
  commit.xorbs = {meta_->insert_xorb(store::kLocalRepository, row_of(2))->row};
  ASSERT_THAT(meta_->commit_shard(commit), IsOk());
  EXPECT_EQ(meta_->find_key_chunk(0, chunk, 0)->front().hash, row_of(1).hash);  // the first one stays
  ASSERT_THAT(execute("UPDATE xorbs SET state = 2 WHERE xorb_id = 1"), IsOk());
  EXPECT_TRUE(meta_->find_key_chunk(0, chunk, 0)->empty());
  commit.shard = ShardHash(random_hash(3));
  ASSERT_THAT(meta_->commit_shard(commit), IsOk());
  EXPECT_EQ(meta_->find_key_chunk(0, chunk, 0)->front().hash, row_of(2).hash);
}

TEST_F(Meta, RefusesANewerSchema) {
  meta_.reset();
  ASSERT_THAT(execute("UPDATE schema_version SET version = 1000"), IsOk());
  EXPECT_THAT(store::SqliteDatabase::open(dir_ / "meta.sqlite", {.health = health_}),
              FailsWith(ErrorCode::kInvalidArgument, "newer"));
}

TEST_F(Meta, IsDurableAtEveryCommit) {
  const auto connection = store::sqlite::Connection::open(dir_ / "meta.sqlite", {.health = health_});
  auto mode = (*connection)->query("PRAGMA journal_mode");
  ASSERT_TRUE(*mode->step());
  EXPECT_EQ(as_chars(mode->blob(0)), "wal");
  auto level = (*connection)->query("PRAGMA synchronous");
  ASSERT_TRUE(*level->step());
  EXPECT_EQ(level->integer(0), 2);
}

TEST_F(Meta, GivesUpWaitingForAnotherProcess) {
  const auto impatient = std::make_unique<SqliteMetaStore>(*store::SqliteDatabase::open(
      dir_ / "meta.sqlite", {.busy_timeout = std::chrono::milliseconds(1), .health = health_}));
  const auto other = *store::sqlite::Connection::open(dir_ / "meta.sqlite", {.health = health_});
  ASSERT_THAT(other->execute("BEGIN IMMEDIATE"), IsOk());
  EXPECT_THAT(impatient->insert_xorb(store::kLocalRepository, row_of(1)), FailsWith(ErrorCode::kUnavailable));
  EXPECT_FALSE(impatient->find_xorb(row_of(1).hash)->usable.has_value());  // reading goes on
  ASSERT_THAT(other->execute("ROLLBACK"), IsOk());
  EXPECT_THAT(impatient->insert_xorb(store::kLocalRepository, row_of(1)), IsOk());
}

TEST_F(Meta, AfterAFailedSyncItOnlyReads) {
  health_->sync_failed({ErrorCode::kIo, "cannot sync x"});
  EXPECT_THAT(meta_->insert_xorb(store::kLocalRepository, row_of(1)),
              FailsWith(ErrorCode::kIo, "cannot sync x"));
  EXPECT_THAT(meta_->find_xorb(row_of(1).hash), IsOk());
}

}  // namespace
}  // namespace xet::testing
