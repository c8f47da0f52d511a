#include "server/store/schema.h"

#include <fmt/format.h>

#include <span>

namespace xet::store {

namespace {

// Migration i brings version i to i + 1. Forward only: a released one never changes. docs/format/store.md
// explains the columns. Times are Unix seconds; hashes are their 32 raw bytes.
constexpr const char* kMigrations[] = {
    R"sql(
CREATE TABLE namespaces(
  ns_id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE repos(
  repo_id INTEGER PRIMARY KEY,
  ns_id INTEGER NOT NULL,
  type INTEGER NOT NULL,
  name TEXT NOT NULL,
  UNIQUE(type, ns_id, name)) STRICT;
CREATE TABLE id_blocks(
  kind INTEGER PRIMARY KEY,
  next INTEGER NOT NULL) STRICT;
CREATE TABLE xorbs(
  xorb_hash BLOB NOT NULL,
  gen INTEGER NOT NULL,
  xorb_id INTEGER NOT NULL,
  state INTEGER NOT NULL,
  obj_size INTEGER NOT NULL,
  tail_len INTEGER NOT NULL,
  n_chunks INTEGER NOT NULL,
  raw_size INTEGER NOT NULL,
  scope_id INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  state_at INTEGER NOT NULL,
  last_ref_epoch INTEGER NOT NULL,
  PRIMARY KEY(xorb_hash, gen)) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX xorbs_id ON xorbs(xorb_id);
CREATE TABLE shards(
  shard_hash BLOB PRIMARY KEY,
  shard_id INTEGER NOT NULL,
  obj_size INTEGER NOT NULL,
  n_files INTEGER NOT NULL,
  n_xorbs INTEGER NOT NULL,
  repo_id INTEGER NOT NULL,
  created_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX shards_id ON shards(shard_id);
CREATE TABLE shard_xorbs(
  shard_id INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  xorb_id INTEGER NOT NULL,
  PRIMARY KEY(shard_id, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE file_recon(
  file_hash BLOB NOT NULL UNIQUE,
  size INTEGER NOT NULL,
  n_terms INTEGER NOT NULL,
  shard_hash BLOB NOT NULL,
  inline_manifest BLOB,
  manifest_gen INTEGER NOT NULL,
  created_at INTEGER NOT NULL) STRICT;
CREATE TABLE key_chunks(
  chunk_hash BLOB NOT NULL,
  scope_id INTEGER NOT NULL,
  xorb_id INTEGER NOT NULL,
  shard_id INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  PRIMARY KEY(chunk_hash, scope_id)) STRICT, WITHOUT ROWID;
CREATE TABLE repo_files(
  repo_id INTEGER NOT NULL,
  file_hash BLOB NOT NULL,
  sha256 BLOB,
  size INTEGER NOT NULL,
  first_seen INTEGER NOT NULL,
  PRIMARY KEY(repo_id, file_hash)) STRICT, WITHOUT ROWID;
CREATE INDEX repo_files_sha ON repo_files(repo_id, sha256);
INSERT INTO namespaces(ns_id, name) VALUES (0, 'local');
INSERT INTO repos(repo_id, ns_id, type, name) VALUES (0, 0, 0, 'local');
INSERT INTO id_blocks(kind, next) VALUES (1, 1), (2, 1);
)sql",
    R"sql(
CREATE TABLE keys(
  kid INTEGER PRIMARY KEY,
  purpose INTEGER NOT NULL,
  alg INTEGER NOT NULL,
  secret BLOB NOT NULL,
  not_before INTEGER NOT NULL,
  not_after INTEGER) STRICT;
)sql",
    // The Hub. Its times are milliseconds. A deleted repository keeps its row, under a name that none can
    // have, so that no number ever means another repository.
    R"sql(
ALTER TABLE repos ADD COLUMN private INTEGER NOT NULL DEFAULT 0;
ALTER TABLE repos ADD COLUMN created_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE repos ADD COLUMN updated_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE repos ADD COLUMN deleted_at INTEGER;
CREATE TABLE users(
  user_id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  created_at INTEGER NOT NULL) STRICT;
CREATE TABLE tokens(
  token_id INTEGER PRIMARY KEY AUTOINCREMENT,
  token_hash BLOB NOT NULL UNIQUE,
  user_id INTEGER NOT NULL,
  role INTEGER NOT NULL,
  label TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER,
  revoked_at INTEGER) STRICT;
CREATE TABLE token_scopes(
  token_id INTEGER NOT NULL,
  ns_name TEXT NOT NULL,
  PRIMARY KEY(token_id, ns_name)) STRICT, WITHOUT ROWID;
CREATE TABLE refs(
  repo_id INTEGER NOT NULL,
  name TEXT NOT NULL,
  commit_id BLOB NOT NULL,
  PRIMARY KEY(repo_id, name)) STRICT, WITHOUT ROWID;
CREATE TABLE git_objects(
  repo_id INTEGER NOT NULL,
  oid BLOB NOT NULL,
  kind INTEGER NOT NULL,
  data BLOB NOT NULL,
  UNIQUE(repo_id, oid)) STRICT;
CREATE TABLE lfs_files(
  repo_id INTEGER NOT NULL,
  sha256 BLOB NOT NULL,
  file_hash BLOB NOT NULL,
  size INTEGER NOT NULL,
  PRIMARY KEY(repo_id, sha256)) STRICT, WITHOUT ROWID;
CREATE TABLE bucket_entries(
  repo_id INTEGER NOT NULL,
  path TEXT NOT NULL,
  file_hash BLOB NOT NULL,
  size INTEGER NOT NULL,
  mtime INTEGER NOT NULL,
  uploaded_at INTEGER NOT NULL,
  content_type TEXT NOT NULL,
  PRIMARY KEY(repo_id, path)) STRICT, WITHOUT ROWID;
)sql",
    R"sql(
CREATE INDEX repos_folded ON repos(type, name COLLATE NOCASE);
CREATE TABLE moved_repos(
  type INTEGER NOT NULL,
  ns_name TEXT NOT NULL COLLATE NOCASE,
  name TEXT NOT NULL COLLATE NOCASE,
  repo_id INTEGER NOT NULL,
  PRIMARY KEY(type, ns_name, name)) STRICT, WITHOUT ROWID;
)sql",
};

Result<int> version_of(sqlite::Connection& connection) {
  XET_TRY(auto has_table,
          connection.query("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_version'"));
  XET_TRY(const bool exists, has_table.step());
  if (!exists) return 0;
  XET_TRY(auto query, connection.query("SELECT version FROM schema_version"));
  XET_TRY(const bool row, query.step());
  if (!row)
    return fail(ErrorCode::kCorruption,
                fmt::format("{}: the table schema_version is empty", connection.name()));
  return static_cast<int>(query.integer(0));
}

Status check_known(const sqlite::Connection& connection, int version) {
  if (version <= latest_schema_version()) return {};
  return fail(
      ErrorCode::kInvalidArgument,
      fmt::format("{} was written by a newer program (schema {}, this one knows {}); update this program",
                  connection.name(), version, latest_schema_version()));
}

Status apply_missing(sqlite::Connection& connection) {
  XET_TRY(const int version, version_of(connection));  // again: another process may have been faster
  XET_TRY_STATUS(check_known(connection, version));
  if (version == 0) {
    XET_TRY_STATUS(
        connection.execute("CREATE TABLE schema_version(version INTEGER NOT NULL) STRICT; INSERT INTO "
                           "schema_version VALUES (0);"));
  }
  for (int i = version; i < latest_schema_version(); ++i) XET_TRY_STATUS(connection.execute(kMigrations[i]));
  XET_TRY(auto update, connection.query("UPDATE schema_version SET version = ?1"));
  return update.bind(latest_schema_version()).run();
}

}  // namespace

int latest_schema_version() {
  return static_cast<int>(std::size(kMigrations));
}

Status migrate(sqlite::Connection& connection) {
  {
    XET_TRY(const int version, version_of(connection));
    XET_TRY_STATUS(check_known(connection, version));
    if (version == latest_schema_version()) return {};
  }
  XET_TRY_STATUS(connection.execute("BEGIN IMMEDIATE"));
  auto outcome = apply_missing(connection);
  if (outcome) outcome = connection.execute("COMMIT");
  if (!outcome && connection.in_transaction()) (void)connection.execute("ROLLBACK");
  return outcome;
}

}  // namespace xet::store
