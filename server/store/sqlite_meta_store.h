#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
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
  /// A reading connection on loan.
  class Reader {
   public:
    Reader(SqliteMetaStore& store, std::unique_ptr<sqlite::Connection> connection)
        : store_(&store), connection_(std::move(connection)) {}
    Reader(Reader&&) noexcept = default;
    Reader& operator=(Reader&&) = delete;
    ~Reader() {
      if (connection_) store_->idle_readers_.lock()->push_back(std::move(connection_));
    }
    sqlite::Connection& operator*() { return *connection_; }

   private:
    SqliteMetaStore* store_;
    std::unique_ptr<sqlite::Connection> connection_;
  };

  SqliteMetaStore(std::filesystem::path path, Options options, std::unique_ptr<sqlite::Connection> writer)
      : path_(std::move(path)), options_(std::move(options)), writes_(std::move(writer)) {}

  Result<Reader> reader();
  Status write(const WriteQueue::Work& work);
  int64_t now_s() const;
  Status protect_files() const;

  const std::filesystem::path path_;
  const Options options_;
  WriteQueue writes_;
  Sync<std::vector<std::unique_ptr<sqlite::Connection>>> idle_readers_;
};

}  // namespace xet::store
