#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/sync.h"
#include "server/store/meta_store.h"
#include "server/store/sqlite.h"
#include "server/store/sync_health.h"
#include "server/store/write_queue.h"

namespace xet::store {

/// The MetaStore in one SQLite file. Writes go through one connection with group commit; reads use
/// connections of their own, which never wait for writers (WAL).
class SqliteMetaStore final : public MetaStore {
 public:
  struct Options {
    std::chrono::milliseconds busy_timeout{30'000};
    std::shared_ptr<SyncHealth> health;  ///< required
    const Clock* clock = &system_clock();
  };
  /// Opens or creates the file and migrates it.
  static Result<std::unique_ptr<SqliteMetaStore>> open(const std::filesystem::path& path,
                                                       const Options& options);

  Result<XorbLookup> find_xorb(const XorbHash& xorb) override;
  Result<XorbInsert> insert_xorb(RepositoryId repository, const XorbRow& row) override;
  Result<bool> revive_xorb(const XorbRow& row) override;
  Result<std::optional<FileRow>> find_file(const FileHash& file) override;
  Result<bool> may_read(RepositoryId repository, const FileHash& file) override;
  Result<ShardCommitOutcome> commit_shard(const ShardCommit& commit) override;
  Result<std::vector<XorbRow>> find_key_chunk(RepositoryId repository, const ChunkHash& chunk,
                                              uint32_t max_neighbours) override;

 private:
  class Reader;
  SqliteMetaStore(std::filesystem::path path, Options options, std::unique_ptr<sqlite::Connection> writer)
      : path_(std::move(path)), options_(std::move(options)), writes_(std::move(writer)) {}

  Result<Reader> reader();
  Status write(const WriteQueue::Work& work);
  int64_t now_s() const;

  const std::filesystem::path path_;
  const Options options_;
  WriteQueue writes_;
  Sync<std::vector<std::unique_ptr<sqlite::Connection>>> idle_readers_;
};

}  // namespace xet::store
