#include "server/store/sqlite_meta_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "server/store/schema.h"

namespace xet::store {

namespace {

using sqlite::Connection;
using sqlite::Query;

// Kinds of dense numbers in id_blocks.
constexpr int kXorbIds = 1;
constexpr int kShardIds = 2;

// No garbage collection yet, so all references are made in the first epoch.
constexpr int64_t kFirstEpoch = 0;

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

/// The namespace of a repository: the domain inside which chunks may be deduplicated.
Result<int64_t> scope_of(Connection& connection, RepositoryId repository) {
  XET_TRY(auto query, connection.query("SELECT ns_id FROM repos WHERE repo_id = ?1"));
  XET_TRY(const bool found, query.bind(repository).step());
  if (!found) return fail(ErrorCode::kInvalidArgument, fmt::format("there is no repository {}", repository));
  return query.integer(0);
}

#define XET_XORB_COLUMNS "xorb_id, xorb_hash, gen, state, obj_size, tail_len, n_chunks, raw_size"

Result<XorbRow> xorb_row(const Query& query) {
  XET_TRY(const auto hash, query.hash<XorbHash>(1));
  return XorbRow{
      .id = static_cast<uint64_t>(query.integer(0)),
      .hash = hash,
      .generation = static_cast<uint32_t>(query.integer(2)),
      .state = static_cast<XorbState>(query.integer(3)),
      .object_bytes = static_cast<uint64_t>(query.integer(4)),
      .tail_bytes = static_cast<uint32_t>(query.integer(5)),
      .n_chunks = static_cast<uint32_t>(query.integer(6)),
      .unpacked_bytes = static_cast<uint64_t>(query.integer(7)),
  };
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

/// A reading connection on loan.
class SqliteMetaStore::Reader {
 public:
  Reader(SqliteMetaStore& store, std::unique_ptr<Connection> connection)
      : store_(&store), connection_(std::move(connection)) {}
  Reader(Reader&&) noexcept = default;
  Reader& operator=(Reader&&) = delete;
  ~Reader() {
    if (connection_) store_->idle_readers_.lock()->push_back(std::move(connection_));
  }
  Connection& operator*() { return *connection_; }

 private:
  SqliteMetaStore* store_;
  std::unique_ptr<Connection> connection_;
};

Result<std::unique_ptr<SqliteMetaStore>> SqliteMetaStore::open(const std::filesystem::path& path,
                                                               const Options& options) {
  XET_TRY(auto writer,
          Connection::open(path, {.busy_timeout = options.busy_timeout, .health = options.health}));
  XET_TRY_STATUS(migrate(*writer));
  return std::unique_ptr<SqliteMetaStore>(new SqliteMetaStore(path, options, std::move(writer)));
}

Result<SqliteMetaStore::Reader> SqliteMetaStore::reader() {
  {
    auto idle = idle_readers_.lock();
    if (!idle->empty()) {
      auto connection = std::move(idle->back());
      idle->pop_back();
      return Reader(*this, std::move(connection));
    }
  }
  XET_TRY(auto connection,
          Connection::open(path_, {.busy_timeout = options_.busy_timeout, .health = options_.health}));
  return Reader(*this, std::move(connection));
}

Status SqliteMetaStore::write(const WriteQueue::Work& work) {
  XET_TRY_STATUS(options_.health->check_writable());
  return writes_.run(work);
}

int64_t SqliteMetaStore::now_s() const {
  return std::chrono::duration_cast<std::chrono::seconds>(options_.clock->wall_now().time_since_epoch())
      .count();
}

Result<XorbLookup> SqliteMetaStore::find_xorb(const XorbHash& xorb) {
  XET_TRY(auto connection, reader());
  return look_up_xorb(*connection, xorb);
}

Result<XorbInsert> SqliteMetaStore::insert_xorb(RepositoryId repository, const XorbRow& row) {
  XorbInsert out;
  const int64_t now = now_s();
  XET_TRY_STATUS(write([&](Connection& connection) -> Status {
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
  XET_TRY_STATUS(write([&](Connection& connection) -> Status {
    XET_TRY(usable, touch_xorb(connection, row, now_s()));
    return {};
  }));
  return usable;
}

Result<std::optional<FileRow>> SqliteMetaStore::find_file(const FileHash& file) {
  XET_TRY(auto connection, reader());
  XET_TRY(auto query, (*connection)
                          .query("SELECT size, n_terms, inline_manifest, manifest_gen FROM file_recon "
                                 "WHERE file_hash = ?1"));
  XET_TRY(const bool found, query.bind(file).step());
  if (!found) return std::nullopt;
  FileRow out{
      .hash = file,
      .size_bytes = static_cast<uint64_t>(query.integer(0)),
      .n_terms = static_cast<uint32_t>(query.integer(1)),
      .inline_manifest = {},
      .manifest_generation = static_cast<uint32_t>(query.integer(3)),
  };
  if (!query.is_null(2)) {
    const ByteSpan manifest = query.blob(2);
    out.inline_manifest.assign(manifest.begin(), manifest.end());
  }
  return out;
}

Result<bool> SqliteMetaStore::may_read(RepositoryId repository, const FileHash& file) {
  XET_TRY(auto connection, reader());
  XET_TRY(auto query, (*connection).query("SELECT 1 FROM repo_files WHERE repo_id = ?1 AND file_hash = ?2"));
  return query.bind(repository, file).step();
}

Result<ShardCommitOutcome> SqliteMetaStore::commit_shard(const ShardCommit& commit) {
  ShardCommitOutcome outcome;
  const int64_t now = now_s();
  XET_TRY_STATUS(
      write([&](Connection& connection) { return write_shard(connection, commit, now, outcome); }));
  return outcome;
}

Result<std::vector<XorbRow>> SqliteMetaStore::find_key_chunk(RepositoryId repository, const ChunkHash& chunk,
                                                             uint32_t max_neighbours) {
  XET_TRY(auto connection, reader());
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
