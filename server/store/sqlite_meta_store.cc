#include "server/store/sqlite_meta_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "server/store/sqlite_rows.h"

namespace xet::store {

namespace {

using sqlite::Connection;
using sqlite::Query;

// Kinds of dense numbers in id_blocks.
constexpr int kXorbIds = 1;
constexpr int kShardIds = 2;

Result<uint64_t> next_id(Connection& connection, int kind) {
  XET_TRY(auto query,
          connection.query("UPDATE id_blocks SET next = next + 1 WHERE kind = ?1 RETURNING next - 1"));
  XET_TRY(const bool found, query.bind(kind).step());
  if (!found)
    return fail(ErrorCode::kCorruption, fmt::format("the store's table id_blocks lacks kind {}", kind));
  const auto id = static_cast<uint64_t>(query.integer(0));
  XET_TRY_STATUS(query.run());  // SQLite counts the statement as done only after the last row
  return id;
}

bool is_usable(XorbState state) {
  return state == XorbState::kLive || state == XorbState::kCondemned;
}

Result<XorbLookup> look_up_xorb(Connection& connection, const XorbHash& xorb) {
  XET_TRY(auto query, connection.query("SELECT " XET_XORB_COLUMNS " FROM xorbs WHERE xorb_hash = ?1"));
  query.bind(xorb);
  XorbLookup out;
  for (;;) {
    XET_TRY(const bool found, query.step());
    if (!found) return out;
    XET_TRY(const auto row, xorb_row(query));
    out.next_generation = std::max(out.next_generation, row.generation + 1);
    if (is_usable(row.state)) out.usable = row;
  }
}

/// Sets a usable generation live, in the current epoch. False when it is not usable.
Result<bool> touch_xorb(Connection& connection, const XorbRow& row, int64_t now_s) {
  XET_TRY(auto query, connection.query("UPDATE xorbs SET last_ref_epoch = ?3, "
                                       "state_at = CASE state WHEN 0 THEN state_at ELSE ?4 END, state = 0 "
                                       "WHERE xorb_hash = ?1 AND gen = ?2 AND state IN (0, 1)"));
  XET_TRY_STATUS(query.bind(row.hash, row.generation, kFirstEpoch, now_s).run());
  return connection.changes() == 1;
}

/// Registers the shard itself and its list of xorbs; gives its number. A known shard keeps both.
Result<uint64_t> insert_shard(Connection& connection, const ShardCommit& commit, int64_t now_s) {
  {
    XET_TRY(auto known, connection.query("SELECT shard_id FROM shards WHERE shard_hash = ?1"));
    XET_TRY(const bool found, known.bind(commit.shard).step());
    if (found) return static_cast<uint64_t>(known.integer(0));
  }
  XET_TRY(const auto id, next_id(connection, kShardIds));
  XET_TRY(auto insert,
          connection.query("INSERT INTO shards(shard_hash, shard_id, obj_size, n_files, n_xorbs, repo_id, "
                           "created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"));
  XET_TRY_STATUS(insert
                     .bind(commit.shard, id, commit.object_bytes, commit.files.size(), commit.xorbs.size(),
                           commit.repository, now_s)
                     .run());
  for (size_t seq = 0; seq < commit.xorbs.size(); ++seq) {
    XET_TRY(auto entry,
            connection.query("INSERT INTO shard_xorbs(shard_id, seq, xorb_id) VALUES (?1, ?2, ?3)"));
    XET_TRY_STATUS(entry.bind(id, seq, commit.xorbs[seq].id).run());
  }
  return id;
}

/// True when the file's manifest is the one given here, false when it had one.
Result<bool> insert_file(Connection& connection, const ShardCommit& commit, const ShardCommit::File& file,
                         int64_t now_s) {
  XET_TRY(auto receipt,
          connection.query("INSERT INTO repo_files(repo_id, file_hash, sha256, size, first_seen) "
                           "VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT(repo_id, file_hash) "
                           "DO UPDATE SET sha256 = excluded.sha256 WHERE repo_files.sha256 IS NULL"));
  XET_TRY_STATUS(receipt.bind(commit.repository, file.hash, file.sha256, file.size_bytes, now_s).run());
  XET_TRY(auto insert,
          connection.query(
              "INSERT INTO file_recon(file_hash, size, n_terms, shard_hash, inline_manifest, manifest_gen, "
              "created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT(file_hash) DO NOTHING"));
  std::optional<ByteSpan> manifest;
  if (!file.inline_manifest.empty()) manifest = file.inline_manifest;
  XET_TRY_STATUS(insert
                     .bind(file.hash, file.size_bytes, file.n_terms, commit.shard, manifest,
                           file.manifest_generation, now_s)
                     .run());
  return connection.changes() == 1;
}

Status insert_key_chunks(Connection& connection, const ShardCommit& commit, uint64_t shard_id,
                         int64_t scope) {
  for (const auto& chunk : commit.key_chunks) {
    // The first place stays, as long as its xorb can be used.
    XET_TRY(auto insert,
            connection.query("INSERT INTO key_chunks(chunk_hash, scope_id, xorb_id, shard_id, seq) "
                             "VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT(chunk_hash, scope_id) DO UPDATE SET "
                             "xorb_id = excluded.xorb_id, shard_id = excluded.shard_id, seq = excluded.seq "
                             "WHERE NOT EXISTS (SELECT 1 FROM xorbs WHERE xorbs.xorb_id = key_chunks.xorb_id "
                             "AND state IN (0, 1))"));
    XET_TRY_STATUS(
        insert.bind(chunk.hash, scope, commit.xorbs[chunk.xorb_index].id, shard_id, chunk.xorb_index).run());
  }
  return {};
}

Status write_shard(Connection& connection, const ShardCommit& commit, int64_t now_s,
                   ShardCommitOutcome& outcome) {
  XET_TRY(const auto scope, scope_of(connection, commit.repository));
  // Touching first, in the same transaction: whoever deletes xorbs works on the same rows, so either it sees
  // the new references or this commit sees that a xorb is gone.
  for (const auto& xorb : commit.xorbs) {
    XET_TRY(const bool usable, touch_xorb(connection, xorb, now_s));
    if (!usable) {
      return fail(ErrorCode::kNotFound,
                  fmt::format("xorb {} is no longer in the store; upload it again", xorb.hash.hex()));
    }
  }
  XET_TRY(const auto shard_id, insert_shard(connection, commit, now_s));
  outcome.known_files.clear();
  for (size_t i = 0; i < commit.files.size(); ++i) {
    XET_TRY(const bool is_new, insert_file(connection, commit, commit.files[i], now_s));
    if (!is_new) outcome.known_files.push_back(i);
  }
  return insert_key_chunks(connection, commit, shard_id, scope);
}

}  // namespace

Result<XorbLookup> SqliteMetaStore::find_xorb(const XorbHash& xorb) {
  XET_TRY(auto connection, database_->reader());
  return look_up_xorb(*connection, xorb);
}

Result<std::vector<std::optional<XorbRow>>> SqliteMetaStore::find_usable_xorbs(
    std::span<const XorbHash> xorbs) {
  XET_TRY(auto connection, database_->reader());
  XET_TRY(const auto transaction, ReadTransaction::begin(*connection));
  std::vector<std::optional<XorbRow>> out;
  out.reserve(xorbs.size());
  for (const auto& xorb : xorbs) {
    XET_TRY(auto query,
            (*connection)
                .query("SELECT " XET_XORB_COLUMNS " FROM xorbs WHERE xorb_hash = ?1 AND state IN (0, 1)"));
    XET_TRY(const bool found, query.bind(xorb).step());
    if (!found) {
      out.emplace_back();
      continue;
    }
    XET_TRY(out.emplace_back(), xorb_row(query));
  }
  return out;
}

Result<XorbInsert> SqliteMetaStore::insert_xorb(RepositoryId repository, const XorbRow& row) {
  XorbInsert out;
  const int64_t now = database_->now_s();
  XET_TRY_STATUS(database_->write([&](Connection& connection) -> Status {
    XET_TRY(const auto scope, scope_of(connection, repository));
    XET_TRY(const auto known, look_up_xorb(connection, row.hash));
    if (known.usable) {
      XET_TRY([[maybe_unused]] const bool touched, touch_xorb(connection, *known.usable, now));
      out = {.inserted = false, .row = *known.usable};
      out.row.state = XorbState::kLive;
      return {};
    }
    XET_TRY(const auto id, next_id(connection, kXorbIds));
    XET_TRY(auto insert,
            connection.query(
                "INSERT INTO xorbs(xorb_id, xorb_hash, gen, state, obj_size, tail_len, n_chunks, raw_size, "
                "scope_id, created_at, state_at, last_ref_epoch) "
                "VALUES (?1, ?2, ?3, 0, ?4, ?5, ?6, ?7, ?8, ?9, ?9, ?10)"));
    out = {.inserted = true, .row = row};
    out.row.id = id;
    out.row.state = XorbState::kLive;
    return insert
        .bind(id, row.hash, row.generation, row.object_bytes, row.tail_bytes, row.n_chunks,
              row.unpacked_bytes, scope, now, kFirstEpoch)
        .run();
  }));
  return out;
}

Result<bool> SqliteMetaStore::revive_xorb(const XorbRow& row) {
  bool usable = false;
  XET_TRY_STATUS(database_->write([&](Connection& connection) -> Status {
    XET_TRY(usable, touch_xorb(connection, row, database_->now_s()));
    return {};
  }));
  return usable;
}

Result<std::optional<FileRow>> SqliteMetaStore::find_file(const FileHash& file) {
  XET_TRY(auto connection, database_->reader());
  XET_TRY(auto query,
          (*connection).query("SELECT " XET_FILE_COLUMNS " FROM file_recon WHERE file_hash = ?1"));
  XET_TRY(const bool found, query.bind(file).step());
  if (!found) return std::nullopt;
  return file_row(query, 0, file);
}

Result<std::optional<FileRow>> SqliteMetaStore::find_file_of(RepositoryId repository, const FileHash& file) {
  XET_TRY(auto connection, database_->reader());
  XET_TRY(auto query,
          (*connection)
              .query("SELECT file_recon.size, n_terms, inline_manifest, manifest_gen FROM repo_files "
                     "JOIN file_recon USING (file_hash) WHERE repo_id = ?1 AND file_hash = ?2"));
  XET_TRY(const bool found, query.bind(repository, file).step());
  if (!found) return std::nullopt;
  return file_row(query, 0, file);
}

Result<bool> SqliteMetaStore::may_read(RepositoryId repository, const FileHash& file) {
  XET_TRY(auto connection, database_->reader());
  XET_TRY(auto query, (*connection).query("SELECT 1 FROM repo_files WHERE repo_id = ?1 AND file_hash = ?2"));
  return query.bind(repository, file).step();
}

Result<bool> SqliteMetaStore::touch_shard(RepositoryId repository, const ShardHash& shard) {
  {
    XET_TRY(auto connection, database_->reader());
    XET_TRY(auto query, (*connection).query("SELECT 1 FROM shards WHERE shard_hash = ?1 AND repo_id = ?2"));
    XET_TRY(const bool found, query.bind(shard, repository).step());
    if (!found) return false;
    XET_TRY(auto stale, (*connection)
                            .query("SELECT 1 FROM shards JOIN shard_xorbs USING (shard_id) "
                                   "LEFT JOIN xorbs USING (xorb_id) WHERE shard_hash = ?1 "
                                   "AND (state IS NULL OR state <> 0 OR last_ref_epoch <> ?2) LIMIT 1"));
    XET_TRY(const bool must_write, stale.bind(shard, kFirstEpoch).step());
    if (!must_write) return true;
  }
  bool usable = false;
  const int64_t now = database_->now_s();
  const auto work = [&](Connection& connection) -> Status {
    XET_TRY(auto query, connection.query("SELECT shard_id, n_xorbs FROM shards WHERE shard_hash = ?1"));
    XET_TRY(const bool found, query.bind(shard).step());
    if (!found) return {};
    const int64_t n_xorbs = query.integer(1);
    XET_TRY(auto touch,
            connection.query("UPDATE xorbs SET last_ref_epoch = ?2, "
                             "state_at = CASE state WHEN 0 THEN state_at ELSE ?3 END, state = 0 "
                             "WHERE xorb_id IN (SELECT xorb_id FROM shard_xorbs WHERE shard_id = ?1) "
                             "AND state IN (0, 1)"));
    XET_TRY_STATUS(touch.bind(query.integer(0), kFirstEpoch, now).run());
    usable = connection.changes() == n_xorbs;
    return {};
  };
  XET_TRY_STATUS(database_->write(work));
  return usable;
}

Result<ShardCommitOutcome> SqliteMetaStore::commit_shard(const ShardCommit& commit) {
  ShardCommitOutcome outcome;
  const int64_t now = database_->now_s();
  XET_TRY_STATUS(database_->write(
      [&](Connection& connection) { return write_shard(connection, commit, now, outcome); }));
  return outcome;
}

Result<std::vector<XorbRow>> SqliteMetaStore::find_key_chunk(RepositoryId repository, const ChunkHash& chunk,
                                                             uint32_t max_neighbours) {
  XET_TRY(auto connection, database_->reader());
  XET_TRY(const auto scope, scope_of(*connection, repository));
  std::vector<XorbRow> out;
  int64_t shard_id = 0;
  int64_t seq = 0;
  {
    XET_TRY(auto query, (*connection)
                            .query("SELECT " XET_XORB_COLUMNS ", shard_id, seq FROM key_chunks "
                                   "JOIN xorbs USING (xorb_id) "
                                   "WHERE chunk_hash = ?1 AND key_chunks.scope_id = ?2 AND state IN (0, 1)"));
    XET_TRY(const bool found, query.bind(chunk, scope).step());
    if (!found) return out;
    XET_TRY(out.emplace_back(), xorb_row(query));
    shard_id = query.integer(8);
    seq = query.integer(9);
  }
  // Twice the window on both sides, so that one at the edge of a shard gets its share from the other side.
  XET_TRY(auto query, (*connection)
                          .query("SELECT " XET_XORB_COLUMNS " FROM shard_xorbs JOIN xorbs USING (xorb_id) "
                                 "WHERE shard_id = ?1 AND seq BETWEEN ?2 - ?3 AND ?2 + ?3 AND seq <> ?2 "
                                 "AND state IN (0, 1) ORDER BY abs(seq - ?2), seq LIMIT ?3"));
  query.bind(shard_id, seq, max_neighbours);
  for (;;) {
    XET_TRY(const bool found, query.step());
    if (!found) return out;
    XET_TRY(out.emplace_back(), xorb_row(query));
  }
}

}  // namespace xet::store
