#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "server/store/hub_store.h"
#include "server/store/sqlite_database.h"

namespace xet::store {

/// The HubStore in a SQLite file, the one of a SqliteMetaStore.
class SqliteHubStore final : public HubStore {
 public:
  explicit SqliteHubStore(std::shared_ptr<SqliteDatabase> database) : database_(std::move(database)) {}

  Result<bool> add_user(std::string_view name) override;
  Result<bool> has_user(std::string_view name) override;
  Result<std::vector<UserRow>> users() override;
  Result<int64_t> add_token(const TokenRow& row, const Sha256Digest& token_hash) override;
  Result<std::optional<TokenRow>> find_token(const Sha256Digest& token_hash) override;
  Result<std::optional<TokenRow>> token(int64_t id) override;
  Result<std::vector<TokenRow>> tokens() override;
  Result<bool> revoke_token(int64_t id) override;

  Result<Created> create_repository(const RepositoryName& name, bool is_private,
                                    const std::optional<RefUpdate>& first) override;
  Result<std::optional<HubRepository>> repository(const RepositoryName& name) override;
  Result<std::optional<HubRepository>> repository(RepositoryId id) override;
  Result<std::vector<HubRepository>> repositories(RepositoryType type, std::string_view name_space,
                                                  RepositoryId after, uint32_t limit) override;
  Status set_private(RepositoryId repository, bool is_private) override;
  Status move_repository(RepositoryId repository, const RepositoryName& to) override;
  Status delete_repository(RepositoryId repository) override;

  Result<std::optional<GitId>> ref(RepositoryId repository, std::string_view name) override;
  Result<std::vector<Ref>> refs(RepositoryId repository) override;
  Result<bool> update_ref(const RefUpdate& update) override;
  Result<std::optional<GitObject>> object(RepositoryId repository, const GitId& id) override;
  Result<std::vector<GitId>> commits_between(RepositoryId repository, const GitId& first, const GitId& last,
                                             uint32_t limit) override;
  Result<std::vector<std::optional<BlobInfo>>> blobs(RepositoryId repository, std::span<const GitId> ids,
                                                     uint64_t max_data) override;
  Result<std::vector<std::optional<LfsFile>>> lfs_files(RepositoryId repository,
                                                        std::span<const Sha256Digest> sha256) override;

  Result<std::optional<uint64_t>> receipt(RepositoryId repository, const FileHash& file) override;
  Result<std::vector<bool>> share_receipts(RepositoryId from, RepositoryId to,
                                           std::span<const FileHash> files) override;

  Result<BucketTotals> bucket_totals(RepositoryId bucket) override;
  Result<std::optional<BucketEntry>> bucket_entry(RepositoryId bucket, std::string_view path) override;
  Result<std::vector<BucketEntry>> bucket_entries(RepositoryId bucket, std::string_view prefix,
                                                  std::string_view after, uint32_t limit) override;
  Status change_bucket(RepositoryId bucket, std::span<const BucketChange> changes) override;

 private:
  const std::shared_ptr<SqliteDatabase> database_;
};

}  // namespace xet::store
