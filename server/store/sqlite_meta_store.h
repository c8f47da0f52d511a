#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "server/store/meta_store.h"
#include "server/store/sqlite_database.h"

namespace xet::store {

/// The MetaStore in a SQLite file.
class SqliteMetaStore final : public MetaStore {
 public:
  explicit SqliteMetaStore(std::shared_ptr<SqliteDatabase> database) : database_(std::move(database)) {}

  Result<XorbLookup> find_xorb(const XorbHash& xorb) override;
  Result<std::vector<std::optional<XorbRow>>> find_usable_xorbs(std::span<const XorbHash> xorbs) override;
  Result<XorbInsert> insert_xorb(RepositoryId repository, const XorbRow& row) override;
  Result<bool> revive_xorb(const XorbRow& row) override;
  Result<std::optional<FileRow>> find_file(const FileHash& file) override;
  Result<bool> may_read(RepositoryId repository, const FileHash& file) override;
  Result<std::optional<FileRow>> find_file_of(RepositoryId repository, const FileHash& file) override;
  Result<bool> touch_shard(RepositoryId repository, const ShardHash& shard) override;
  Result<ShardCommitOutcome> commit_shard(const ShardCommit& commit) override;
  Result<std::vector<XorbRow>> find_key_chunk(RepositoryId repository, const ChunkHash& chunk,
                                              uint32_t max_neighbours) override;

  Result<std::optional<RepositoryId>> find_repository(const RepositoryName& name) override;
  Result<RepositoryId> ensure_repository(const RepositoryName& name) override;
  Result<std::vector<SigningKey>> signing_keys(KeyPurpose purpose,
                                               const std::function<Result<ByteVector>()>& make) override;
  Result<MetaTotals> totals() override;
  Result<std::vector<XorbRow>> xorbs_after(uint64_t after, uint32_t limit) override;
  Result<std::vector<ShardRow>> shards_after(uint64_t after, uint32_t limit) override;
  Result<std::vector<NumberedFile>> files_after(uint64_t after, uint32_t limit) override;
  Result<bool> shard_exists(const ShardHash& shard) override;
  Result<std::vector<std::string>> find_inconsistencies(bool thorough) override;

 private:
  const std::shared_ptr<SqliteDatabase> database_;
};

}  // namespace xet::store
