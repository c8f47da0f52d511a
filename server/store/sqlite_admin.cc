// The parts of SqliteMetaStore that no upload and no download goes through.

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "server/store/hub_store.h"
#include "server/store/sqlite_meta_store.h"
#include "server/store/sqlite_rows.h"

namespace xet::store {

namespace {

using sqlite::Connection;

// The only algorithm for each purpose so far.
constexpr int kFirstAlgorithm = 1;

Result<std::vector<SigningKey>> look_up_keys(Connection& connection, KeyPurpose purpose) {
  XET_TRY(auto query, connection.query("SELECT kid, secret FROM keys WHERE purpose = ?1 AND alg = ?2 "
                                       "ORDER BY not_before, kid"));
  query.bind(static_cast<int>(purpose), kFirstAlgorithm);
  std::vector<SigningKey> out;
  for (;;) {
    XET_TRY(const bool found, query.step());
    if (!found) return out;
    const ByteSpan secret = query.blob(1);
    out.push_back({.id = static_cast<uint32_t>(query.integer(0)), .secret = {secret.begin(), secret.end()}});
  }
}

/// Rows that refer to something that is not there.
struct Contradiction {
  const char* count;
  const char* what;
};
constexpr Contradiction kContradictions[] = {
    {"SELECT count(*) FROM (SELECT 1 FROM xorbs WHERE state IN (0, 1) GROUP BY xorb_hash HAVING count(*) > "
     "1)",
     "xorbs have more than one usable generation"},
    {"SELECT count(*) FROM shard_xorbs LEFT JOIN xorbs USING (xorb_id) WHERE xorbs.xorb_id IS NULL",
     "entries of shard_xorbs refer to unknown xorbs"},
    {"SELECT count(*) FROM shard_xorbs LEFT JOIN shards USING (shard_id) WHERE shards.shard_id IS NULL",
     "entries of shard_xorbs refer to unknown shards"},
    {"SELECT count(*) FROM key_chunks LEFT JOIN xorbs USING (xorb_id) WHERE xorbs.xorb_id IS NULL",
     "key chunks refer to unknown xorbs"},
    {"SELECT count(*) FROM file_recon LEFT JOIN shards USING (shard_hash) WHERE shards.shard_hash IS NULL",
     "files were registered by unknown shards"},
    {"SELECT count(*) FROM repo_files LEFT JOIN file_recon USING (file_hash) WHERE file_recon.file_hash IS "
     "NULL",
     "receipts are for unknown files"},
    {"SELECT count(*) FROM repo_files LEFT JOIN repos USING (repo_id) WHERE repos.repo_id IS NULL",
     "receipts belong to unknown repositories"},
    {"SELECT count(*) FROM refs LEFT JOIN git_objects ON git_objects.repo_id = refs.repo_id AND "
     "git_objects.oid = refs.commit_id AND git_objects.kind = 3 WHERE git_objects.oid IS NULL",
     "branches and tags are at unknown commits"},
    // The empty file needs no row.
    {"SELECT count(*) FROM lfs_files LEFT JOIN file_recon USING (file_hash) WHERE file_recon.file_hash IS "
     "NULL AND lfs_files.file_hash <> zeroblob(32)",
     "committed files are unknown to the store"},
    {"SELECT count(*) FROM bucket_entries LEFT JOIN file_recon USING (file_hash) WHERE file_recon.file_hash "
     "IS NULL AND bucket_entries.file_hash <> zeroblob(32)",
     "files of buckets are unknown to the store"},
};

/// SQLite's own check of its file.
Status check_file(Connection& connection, bool thorough, std::vector<std::string>& out) {
  XET_TRY(auto query, connection.query(thorough ? "PRAGMA integrity_check(20)" : "PRAGMA quick_check(20)"));
  for (;;) {
    XET_TRY(const bool found, query.step());
    if (!found) return {};
    std::string line(as_chars(query.blob(0)));
    std::replace(line.begin(), line.end(), '\n', ' ');
    if (line != "ok") out.push_back(std::move(line));
  }
}

Status check_references(Connection& connection, std::vector<std::string>& out) {
  for (const auto& each : kContradictions) {
    XET_TRY(auto query, connection.query(each.count));
    XET_TRY([[maybe_unused]] const bool row, query.step());
    if (const int64_t n = query.integer(0); n > 0) out.push_back(fmt::format("{} {}", n, each.what));
  }
  return {};
}

Status check_git_objects(Connection& connection, std::vector<std::string>& out) {
  XET_TRY(auto query, connection.query("SELECT repo_id, oid, kind, data FROM git_objects"));
  for (;;) {
    XET_TRY(const bool found, query.step());
    if (!found) return {};
    const auto name = query.blob(1);
    if (GitId::from_raw(name) == GitId::of(static_cast<GitKind>(query.integer(2)), query.blob(3))) continue;
    out.push_back(fmt::format("the Git object {} of repository {} has another content than its name says",
                              to_hex(name), query.integer(0)));
  }
}

}  // namespace

Result<std::optional<RepositoryId>> SqliteMetaStore::find_repository(const RepositoryName& name) {
  XET_TRY(auto connection, database_->reader());
  return find_repository_row(*connection, name);
}

Result<RepositoryId> SqliteMetaStore::ensure_repository(const RepositoryName& name) {
  XET_TRY(const auto known, find_repository(name));
  if (known) return *known;
  RepositoryId out = 0;
  const int64_t now_ms = database_->now_ms();
  const auto work = [&](Connection& connection) -> Status {
    XET_TRY([[maybe_unused]] const bool is_new, insert_repository_row(connection, name, now_ms));
    XET_TRY(const auto found, find_repository_row(connection, name));
    if (!found) return fail(ErrorCode::kInternal, "a repository is not there after it was added");
    out = *found;
    return {};
  };
  XET_TRY_STATUS(database_->write(work));
  return out;
}

Result<std::vector<SigningKey>> SqliteMetaStore::signing_keys(
    KeyPurpose purpose, const std::function<Result<ByteVector>()>& make) {
  {
    XET_TRY(auto connection, database_->reader());
    XET_TRY(auto known, look_up_keys(*connection, purpose));
    if (!known.empty()) return known;
  }
  XET_TRY(const auto secret, make());
  XET_TRY_STATUS(database_->protect_files());
  std::vector<SigningKey> out;
  const int64_t now = database_->now_s();
  const auto work = [&](Connection& connection) -> Status {
    // Again, with the lock: another process may have been faster, and then its key counts.
    XET_TRY(out, look_up_keys(connection, purpose));
    if (!out.empty()) return {};
    XET_TRY(auto insert,
            connection.query("INSERT INTO keys(purpose, alg, secret, not_before) VALUES (?1, ?2, ?3, ?4)"));
    XET_TRY_STATUS(insert.bind(static_cast<int>(purpose), kFirstAlgorithm, ByteSpan(secret), now).run());
    XET_TRY(out, look_up_keys(connection, purpose));
    return {};
  };
  XET_TRY_STATUS(database_->write(work));
  return out;
}

Result<MetaTotals> SqliteMetaStore::totals() {
  XET_TRY(auto connection, database_->reader());
  XET_TRY(const auto transaction, ReadTransaction::begin(*connection));
  MetaTotals out;
  {
    XET_TRY(auto query,
            (*connection)
                .query("SELECT count(*), sum(raw_size), sum(obj_size) FROM xorbs WHERE state IN (0, 1)"));
    XET_TRY([[maybe_unused]] const bool row, query.step());
    out.xorbs = static_cast<uint64_t>(query.integer(0));
    out.unpacked_bytes = static_cast<uint64_t>(query.integer(1));
    out.object_bytes = static_cast<uint64_t>(query.integer(2));
  }
  {
    XET_TRY(auto query, (*connection).query("SELECT count(*), sum(size) FROM file_recon"));
    XET_TRY([[maybe_unused]] const bool row, query.step());
    out.files = static_cast<uint64_t>(query.integer(0));
    out.logical_bytes = static_cast<uint64_t>(query.integer(1));
  }
  XET_TRY(
      auto query,
      (*connection)
          .query(
              "SELECT (SELECT count(*) FROM shards), (SELECT count(*) FROM repos WHERE deleted_at IS NULL)"));
  XET_TRY([[maybe_unused]] const bool row, query.step());
  out.shards = static_cast<uint64_t>(query.integer(0));
  out.repositories = static_cast<uint64_t>(query.integer(1));
  return out;
}

Result<std::vector<XorbRow>> SqliteMetaStore::xorbs_after(uint64_t after, uint32_t limit) {
  XET_TRY(auto connection, database_->reader());
  XET_TRY(auto query,
          (*connection)
              .query("SELECT " XET_XORB_COLUMNS
                     " FROM xorbs WHERE xorb_id > ?1 AND state IN (0, 1) ORDER BY xorb_id LIMIT ?2"));
  query.bind(after, limit);
  std::vector<XorbRow> out;
  for (;;) {
    XET_TRY(const bool found, query.step());
    if (!found) return out;
    XET_TRY(out.emplace_back(), xorb_row(query));
  }
}

Result<std::vector<ShardRow>> SqliteMetaStore::shards_after(uint64_t after, uint32_t limit) {
  XET_TRY(auto connection, database_->reader());
  XET_TRY(auto query, (*connection)
                          .query("SELECT shard_id, shard_hash, obj_size FROM shards WHERE shard_id > ?1 "
                                 "ORDER BY shard_id LIMIT ?2"));
  query.bind(after, limit);
  std::vector<ShardRow> out;
  for (;;) {
    XET_TRY(const bool found, query.step());
    if (!found) return out;
    XET_TRY(const auto hash, query.hash<ShardHash>(1));
    out.push_back({.id = static_cast<uint64_t>(query.integer(0)),
                   .hash = hash,
                   .object_bytes = static_cast<uint64_t>(query.integer(2))});
  }
}

Result<std::vector<MetaStore::NumberedFile>> SqliteMetaStore::files_after(uint64_t after, uint32_t limit) {
  XET_TRY(auto connection, database_->reader());
  XET_TRY(auto query, (*connection)
                          .query("SELECT rowid, file_hash, " XET_FILE_COLUMNS
                                 " FROM file_recon WHERE rowid > ?1 ORDER BY rowid LIMIT ?2"));
  query.bind(after, limit);
  std::vector<NumberedFile> out;
  for (;;) {
    XET_TRY(const bool found, query.step());
    if (!found) return out;
    XET_TRY(const auto hash, query.hash<FileHash>(1));
    out.push_back({.number = static_cast<uint64_t>(query.integer(0)), .row = file_row(query, 2, hash)});
  }
}

Result<bool> SqliteMetaStore::shard_exists(const ShardHash& shard) {
  XET_TRY(auto connection, database_->reader());
  XET_TRY(auto query, (*connection).query("SELECT 1 FROM shards WHERE shard_hash = ?1"));
  return query.bind(shard).step();
}

Result<std::vector<std::string>> SqliteMetaStore::find_inconsistencies(bool thorough) {
  XET_TRY(auto connection, database_->reader());
  std::vector<std::string> out;
  XET_TRY_STATUS(check_file(*connection, thorough, out));
  // One view, so that a shard registered meanwhile is seen with its xorbs.
  XET_TRY(const auto transaction, ReadTransaction::begin(*connection));
  XET_TRY_STATUS(check_references(*connection, out));
  if (thorough) XET_TRY_STATUS(check_git_objects(*connection, out));
  return out;
}

}  // namespace xet::store
