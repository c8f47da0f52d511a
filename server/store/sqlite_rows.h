#pragma once

#include "server/store/meta_store.h"
#include "server/store/sqlite.h"
#include "xet/result.h"

// What the parts of SqliteMetaStore share.

namespace xet::store {

// No garbage collection yet, so all references are made in the first epoch.
inline constexpr int64_t kFirstEpoch = 0;

#define XET_XORB_COLUMNS "xorb_id, xorb_hash, gen, state, obj_size, tail_len, n_chunks, raw_size"
/// From a row that begins with XET_XORB_COLUMNS.
Result<XorbRow> xorb_row(const sqlite::Query& query);

#define XET_FILE_COLUMNS "size, n_terms, inline_manifest, manifest_gen"
/// From a row that has XET_FILE_COLUMNS from column `first` on.
FileRow file_row(const sqlite::Query& query, int first, const FileHash& file);

/// The namespace of a repository: the domain inside which chunks may be deduplicated. kInvalidArgument for an
/// unknown one.
Result<int64_t> scope_of(sqlite::Connection& connection, RepositoryId repository);

Result<std::optional<RepositoryId>> find_repository_row(sqlite::Connection& connection,
                                                        const RepositoryName& name);
/// Makes it, and its namespace, when it is missing. True: it was.
Result<bool> insert_repository_row(sqlite::Connection& connection, const RepositoryName& name,
                                   int64_t now_ms);

/// Reads that belong together: one view of the database, and locks taken once instead of for each statement.
/// Ends with the object.
class ReadTransaction {
 public:
  static Result<ReadTransaction> begin(sqlite::Connection& connection);
  ReadTransaction(ReadTransaction&& other) noexcept;
  ReadTransaction& operator=(ReadTransaction&&) = delete;
  ~ReadTransaction();

 private:
  explicit ReadTransaction(sqlite::Connection& connection) : connection_(&connection) {}
  sqlite::Connection* connection_;
};

}  // namespace xet::store
