#include "server/store/sqlite_hub_store.h"

#include <fmt/format.h>

#include <algorithm>

#include "server/store/sqlite_rows.h"

namespace xet::store {

namespace {

using sqlite::Connection;
using sqlite::Query;

#define XET_REPOSITORY_COLUMNS                                                                   \
  "repo_id, type, namespaces.name, repos.name, private, created_at, updated_at FROM repos JOIN " \
  "namespaces USING (ns_id)"

HubRepository repository_row(const Query& query) {
  return {.id = query.integer(0),
          .type = static_cast<RepositoryType>(query.integer(1)),
          .name_space = std::string(query.text(2)),
          .name = std::string(query.text(3)),
          .is_private = query.integer(4) != 0,
          .created = query.integer(5),
          .updated = query.integer(6)};
}

Result<std::optional<HubRepository>> one_repository(Query& query) {
  XET_TRY(const bool found, query.step());
  if (!found) return std::nullopt;
  return repository_row(query);
}

/// The repository of that name; where there is none, the one whose name differs in case alone.
Result<std::optional<HubRepository>> look_up_repository(Connection& connection, const RepositoryName& name) {
  XET_TRY(auto query, connection.query("SELECT " XET_REPOSITORY_COLUMNS
                                       " WHERE type = ?1 AND namespaces.name = ?2 COLLATE NOCASE AND "
                                       "repos.name = ?3 COLLATE NOCASE ORDER BY "
                                       "namespaces.name = ?2 AND repos.name = ?3 DESC, repo_id LIMIT 1"));
  query.bind(static_cast<int>(name.type), name.name_space, name.name);
  return one_repository(query);
}

/// The repository that had this name last.
Result<std::optional<HubRepository>> look_up_moved(Connection& connection, const RepositoryName& name) {
  XET_TRY(auto query,
          connection.query("SELECT " XET_REPOSITORY_COLUMNS
                           " WHERE deleted_at IS NULL AND repo_id = (SELECT repo_id FROM moved_repos "
                           "WHERE type = ?1 AND ns_name = ?2 AND name = ?3)"));
  query.bind(static_cast<int>(name.type), name.name_space, name.name);
  return one_repository(query);
}

Result<GitId> git_id(const Query& query, int column) {
  const auto id = GitId::from_raw(query.blob(column));
  if (!id) return fail(ErrorCode::kCorruption, "the store has an object id that is not 20 bytes long");
  return *id;
}

Result<std::optional<GitId>> look_up_ref(Connection& connection, RepositoryId repository,
                                         std::string_view name) {
  XET_TRY(auto query, connection.query("SELECT commit_id FROM refs WHERE repo_id = ?1 AND name = ?2"));
  XET_TRY(const bool found, query.bind(repository, name).step());
  if (!found) return std::nullopt;
  return git_id(query, 0);
}

Status touch(Connection& connection, RepositoryId repository, int64_t now_ms) {
  XET_TRY(auto update, connection.query("UPDATE repos SET updated_at = ?2 WHERE repo_id = ?1"));
  return update.bind(repository, now_ms).run();
}

Status insert_objects(Connection& connection, RepositoryId repository, std::span<const GitObject> objects) {
  for (const auto& object : objects) {
    XET_TRY(auto insert, connection.query("INSERT INTO git_objects(repo_id, oid, kind, data) "
                                          "VALUES (?1, ?2, ?3, ?4) ON CONFLICT(repo_id, oid) DO NOTHING"));
    XET_TRY_STATUS(
        insert.bind(repository, ByteSpan(object.id.raw), static_cast<int>(object.kind), ByteSpan(object.data))
            .run());
  }
  return {};
}

Status write_ref(Connection& connection, RepositoryId repository, const RefUpdate& update) {
  if (!update.target) {
    XET_TRY(auto remove, connection.query("DELETE FROM refs WHERE repo_id = ?1 AND name = ?2"));
    return remove.bind(repository, std::string_view(update.ref)).run();
  }
  XET_TRY(auto set, connection.query("INSERT INTO refs(repo_id, name, commit_id) VALUES (?1, ?2, ?3) "
                                     "ON CONFLICT(repo_id, name) DO UPDATE SET commit_id = ?3"));
  return set.bind(repository, std::string_view(update.ref), ByteSpan(update.target->raw)).run();
}

/// False, and nothing is done, when the ref is not what is expected.
Result<bool> apply(Connection& connection, RepositoryId repository, const RefUpdate& update, int64_t now_ms) {
  XET_TRY(const auto current, look_up_ref(connection, repository, update.ref));
  if (current != update.expected) return false;
  XET_TRY_STATUS(insert_objects(connection, repository, update.objects));
  for (const auto& file : update.lfs_files) {
    // Once committed a SHA-256 keeps its meaning, whatever is uploaded under it later.
    XET_TRY(auto insert, connection.query("INSERT INTO lfs_files(repo_id, sha256, file_hash, size) "
                                          "VALUES (?1, ?2, ?3, ?4) ON CONFLICT(repo_id, sha256) DO NOTHING"));
    XET_TRY_STATUS(insert.bind(repository, file.sha256, file.file, file.size_bytes).run());
  }
  XET_TRY_STATUS(write_ref(connection, repository, update));
  XET_TRY_STATUS(touch(connection, repository, now_ms));
  return true;
}

Result<std::optional<LfsFile>> look_up_lfs_file(Connection& connection, RepositoryId repository,
                                                const Sha256Digest& sha256) {
  XET_TRY(auto committed,
          connection.query("SELECT file_hash, size FROM lfs_files WHERE repo_id = ?1 AND sha256 = ?2"));
  XET_TRY(const bool found, committed.bind(repository, sha256).step());
  if (found) {
    XET_TRY(const auto file, committed.hash<FileHash>(0));
    return LfsFile{.sha256 = sha256, .file = file, .size_bytes = static_cast<uint64_t>(committed.integer(1))};
  }
  XET_TRY(auto uploaded,
          connection.query("SELECT file_hash, size FROM repo_files WHERE repo_id = ?1 AND sha256 = ?2 "
                           "ORDER BY first_seen, file_hash LIMIT 1"));
  XET_TRY(const bool was_uploaded, uploaded.bind(repository, sha256).step());
  if (!was_uploaded) return std::nullopt;
  XET_TRY(const auto file, uploaded.hash<FileHash>(0));
  return LfsFile{.sha256 = sha256, .file = file, .size_bytes = static_cast<uint64_t>(uploaded.integer(1))};
}

#define XET_ENTRY_COLUMNS "path, file_hash, size, mtime, uploaded_at, content_type FROM bucket_entries"

Result<BucketEntry> entry_row(const Query& query) {
  XET_TRY(const auto file, query.hash<FileHash>(1));
  return BucketEntry{.path = std::string(query.text(0)),
                     .file = file,
                     .size_bytes = static_cast<uint64_t>(query.integer(2)),
                     .modified = query.integer(3),
                     .uploaded = query.integer(4),
                     .content_type = std::string(query.text(5))};
}

Status change_entry(Connection& connection, RepositoryId bucket, const BucketChange& change) {
  if (!change.put) {
    XET_TRY(auto remove, connection.query("DELETE FROM bucket_entries WHERE repo_id = ?1 AND path = ?2"));
    return remove.bind(bucket, std::string_view(change.path)).run();
  }
  const auto& entry = *change.put;
  XET_TRY(auto set,
          connection.query("INSERT OR REPLACE INTO bucket_entries(repo_id, path, file_hash, size, mtime, "
                           "uploaded_at, content_type) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"));
  return set
      .bind(bucket, std::string_view(change.path), entry.file, entry.size_bytes, entry.modified,
            entry.uploaded, std::string_view(entry.content_type))
      .run();
}

Result<bool> share_receipt(Connection& connection, RepositoryId from, RepositoryId to, const FileHash& file,
                           int64_t now_s) {
  XET_TRY(auto has, connection.query("SELECT 1 FROM repo_files WHERE repo_id = ?1 AND file_hash = ?2"));
  XET_TRY(const bool found, has.bind(from, file).step());
  if (!found || from == to) return found;
  XET_TRY(auto copy, connection.query("INSERT INTO repo_files(repo_id, file_hash, sha256, size, first_seen) "
                                      "SELECT ?2, file_hash, sha256, size, ?4 FROM repo_files "
                                      "WHERE repo_id = ?1 AND file_hash = ?3 "
                                      "ON CONFLICT(repo_id, file_hash) DO NOTHING"));
  XET_TRY_STATUS(copy.bind(from, to, file, now_s).run());
  return true;
}

/// Looks through all of its files: no index is by hash.
Result<bool> has_empty_file(Connection& connection, RepositoryId repository) {
  XET_TRY(auto query,
          connection.query("SELECT 1 FROM bucket_entries WHERE repo_id = ?1 AND file_hash = ?2 UNION ALL "
                           "SELECT 1 FROM lfs_files WHERE repo_id = ?1 AND file_hash = ?2 LIMIT 1"));
  return query.bind(repository, FileHash()).step();
}

}  // namespace

Result<HubStore::Created> SqliteHubStore::create_repository(const RepositoryName& name, bool is_private,
                                                            const std::optional<RefUpdate>& first) {
  Created out;
  const int64_t now = database_->now_ms();
  const auto work = [&](Connection& connection) -> Status {
    XET_TRY(auto found, look_up_repository(connection, name));
    out.is_new = !found;
    if (!found) {
      XET_TRY([[maybe_unused]] const bool inserted, insert_repository_row(connection, name, now));
      XET_TRY(found, look_up_repository(connection, name));
    }
    if (!found) return fail(ErrorCode::kInternal, "a repository is not there after it was added");
    out.repository = *std::move(found);
    // One that `xet admin cas-token --repo` made has no commit yet.
    if (first) {
      XET_TRY([[maybe_unused]] const bool applied, apply(connection, out.repository.id, *first, now));
    }
    if (!out.is_new) return {};
    XET_TRY(auto set, connection.query("UPDATE repos SET private = ?2 WHERE repo_id = ?1"));
    out.repository.is_private = is_private;
    return set.bind(out.repository.id, static_cast<int>(is_private)).run();
  };
  XET_TRY_STATUS(database_->write(work));
  return out;
}

Result<std::optional<HubRepository>> SqliteHubStore::repository(const RepositoryName& name) {
  XET_TRY(auto connection, database_->reader());
  XET_TRY(auto found, look_up_repository(*connection, name));
  if (found) return found;
  return look_up_moved(*connection, name);
}

Result<std::optional<HubRepository>> SqliteHubStore::repository(RepositoryId id) {
  XET_TRY(auto connection, database_->reader());
  XET_TRY(auto query,
          connection->query("SELECT " XET_REPOSITORY_COLUMNS " WHERE repo_id = ?1 AND deleted_at IS NULL"));
  query.bind(id);
  return one_repository(query);
}

Result<std::vector<HubRepository>> SqliteHubStore::repositories(RepositoryType type,
                                                                std::string_view name_space,
                                                                RepositoryId after, uint32_t limit) {
  XET_TRY(auto connection, database_->reader());
  XET_TRY(auto query, connection->query("SELECT " XET_REPOSITORY_COLUMNS
                                        " WHERE type = ?1 AND deleted_at IS NULL AND repo_id > ?3 "
                                        "AND (?2 = '' OR namespaces.name = ?2) ORDER BY repo_id LIMIT ?4"));
  query.bind(static_cast<int>(type), name_space, after, limit);
  std::vector<HubRepository> out;
  for (;;) {
    XET_TRY(const bool found, query.step());
    if (!found) return out;
    out.push_back(repository_row(query));
  }
}

Status SqliteHubStore::set_private(RepositoryId repository, bool is_private) {
  return database_->write([&](Connection& connection) -> Status {
    XET_TRY(auto set, connection.query("UPDATE repos SET private = ?2 WHERE repo_id = ?1"));
    return set.bind(repository, static_cast<int>(is_private)).run();
  });
}

Status SqliteHubStore::move_repository(RepositoryId repository, const RepositoryName& to) {
  return database_->write([&](Connection& connection) -> Status {
    XET_TRY(const auto taken, look_up_repository(connection, to));
    if (taken && taken->id != repository) {
      return fail(ErrorCode::kInvalidArgument, "there is a repository of the new name already");
    }
    XET_TRY(auto add_space,
            connection.query("INSERT INTO namespaces(name) VALUES (?1) ON CONFLICT(name) DO NOTHING"));
    XET_TRY_STATUS(add_space.bind(to.name_space).run());
    XET_TRY(auto remember,
            connection.query("INSERT OR REPLACE INTO moved_repos(type, ns_name, name, repo_id) "
                             "SELECT type, namespaces.name, repos.name, repo_id FROM repos JOIN namespaces "
                             "USING (ns_id) WHERE repo_id = ?1 AND deleted_at IS NULL"));
    XET_TRY_STATUS(remember.bind(repository).run());
    XET_TRY(auto set, connection.query("UPDATE repos SET name = ?3, ns_id = (SELECT ns_id FROM namespaces "
                                       "WHERE name = ?2) WHERE repo_id = ?1 AND deleted_at IS NULL"));
    return set.bind(repository, to.name_space, to.name).run();
  });
}

Status SqliteHubStore::delete_repository(RepositoryId repository) {
  const int64_t now = database_->now_ms();
  return database_->write([&](Connection& connection) -> Status {
    XET_TRY(auto set, connection.query("UPDATE repos SET name = '/' || repo_id, deleted_at = ?2 "
                                       "WHERE repo_id = ?1 AND deleted_at IS NULL"));
    return set.bind(repository, now).run();
  });
}

Result<std::optional<GitId>> SqliteHubStore::ref(RepositoryId repository, std::string_view name) {
  XET_TRY(auto connection, database_->reader());
  return look_up_ref(*connection, repository, name);
}

Result<std::vector<Ref>> SqliteHubStore::refs(RepositoryId repository) {
  XET_TRY(auto connection, database_->reader());
  XET_TRY(auto query, connection->query("SELECT name, commit_id FROM refs WHERE repo_id = ?1 ORDER BY name"));
  query.bind(repository);
  std::vector<Ref> out;
  for (;;) {
    XET_TRY(const bool found, query.step());
    if (!found) return out;
    XET_TRY(const auto commit, git_id(query, 1));
    out.push_back({.name = std::string(query.text(0)), .commit = commit});
  }
}

Result<bool> SqliteHubStore::update_ref(const RefUpdate& update) {
  bool applied = false;
  const int64_t now = database_->now_ms();
  const auto work = [&](Connection& connection) -> Status {
    XET_TRY(applied, apply(connection, update.repository, update, now));
    return {};
  };
  XET_TRY_STATUS(database_->write(work));
  return applied;
}

Result<std::optional<GitObject>> SqliteHubStore::object(RepositoryId repository, const GitId& id) {
  XET_TRY(auto connection, database_->reader());
  XET_TRY(auto query,
          connection->query("SELECT kind, data FROM git_objects WHERE repo_id = ?1 AND oid = ?2"));
  XET_TRY(const bool found, query.bind(repository, ByteSpan(id.raw)).step());
  if (!found) return std::nullopt;
  const ByteSpan data = query.blob(1);
  return GitObject{
      .id = id, .kind = static_cast<GitKind>(query.integer(0)), .data = ByteVector(data.begin(), data.end())};
}

Result<std::vector<GitId>> SqliteHubStore::commits_between(RepositoryId repository, const GitId& first,
                                                           const GitId& last, uint32_t limit) {
  XET_TRY(auto connection, database_->reader());
  XET_TRY(auto query,
          connection->query("SELECT oid FROM git_objects WHERE repo_id = ?1 AND oid BETWEEN ?2 AND "
                            "?3 AND kind = 3 LIMIT ?4"));
  query.bind(repository, ByteSpan(first.raw), ByteSpan(last.raw), limit);
  std::vector<GitId> out;
  for (;;) {
    XET_TRY(const bool found, query.step());
    if (!found) return out;
    XET_TRY(out.emplace_back(), git_id(query, 0));
  }
}

Result<std::vector<std::optional<HubStore::BlobInfo>>> SqliteHubStore::blobs(RepositoryId repository,
                                                                             std::span<const GitId> ids,
                                                                             uint64_t max_data) {
  XET_TRY(auto connection, database_->reader());
  XET_TRY(const auto transaction, ReadTransaction::begin(*connection));
  std::vector<std::optional<BlobInfo>> out;
  out.reserve(ids.size());
  for (const auto& id : ids) {
    XET_TRY(auto query, connection->query("SELECT length(data), CASE WHEN length(data) <= ?3 THEN data END "
                                          "FROM git_objects WHERE repo_id = ?1 AND oid = ?2 AND kind = 1"));
    XET_TRY(const bool found, query.bind(repository, ByteSpan(id.raw), max_data).step());
    auto& info = out.emplace_back();
    if (!found) continue;
    info.emplace().size_bytes = static_cast<uint64_t>(query.integer(0));
    if (query.is_null(1)) continue;
    const ByteSpan data = query.blob(1);
    info->data.emplace(data.begin(), data.end());
  }
  return out;
}

Result<std::vector<std::optional<LfsFile>>> SqliteHubStore::lfs_files(RepositoryId repository,
                                                                      std::span<const Sha256Digest> sha256) {
  XET_TRY(auto connection, database_->reader());
  XET_TRY(const auto transaction, ReadTransaction::begin(*connection));
  std::vector<std::optional<LfsFile>> out;
  out.reserve(sha256.size());
  for (const auto& digest : sha256) {
    XET_TRY(out.emplace_back(), look_up_lfs_file(*connection, repository, digest));
  }
  return out;
}

Result<std::optional<uint64_t>> SqliteHubStore::receipt(RepositoryId repository, const FileHash& file) {
  XET_TRY(auto connection, database_->reader());
  XET_TRY(auto query, connection->query("SELECT size FROM repo_files WHERE repo_id = ?1 AND file_hash = ?2"));
  XET_TRY(const bool found, query.bind(repository, file).step());
  if (!found) return std::nullopt;
  return static_cast<uint64_t>(query.integer(0));
}

Result<std::vector<bool>> SqliteHubStore::share_receipts(RepositoryId from, RepositoryId to,
                                                         std::span<const FileHash> files) {
  std::vector<bool> out;
  const int64_t now = database_->now_s();
  const auto work = [&](Connection& connection) -> Status {
    out.clear();  // the work may be done again
    std::optional<bool> has_empty;
    for (const auto& file : files) {
      if (!file.is_zero()) {
        XET_TRY(const bool shared, share_receipt(connection, from, to, file, now));
        out.push_back(shared);
        continue;
      }
      if (!has_empty) {
        XET_TRY(has_empty, has_empty_file(connection, from));
      }
      out.push_back(*has_empty);
    }
    return {};
  };
  XET_TRY_STATUS(database_->write(work));
  return out;
}

Result<BucketTotals> SqliteHubStore::bucket_totals(RepositoryId bucket) {
  XET_TRY(auto connection, database_->reader());
  XET_TRY(auto query, connection->query("SELECT count(*), sum(size) FROM bucket_entries WHERE repo_id = ?1"));
  XET_TRY([[maybe_unused]] const bool row, query.bind(bucket).step());
  return BucketTotals{.files = static_cast<uint64_t>(query.integer(0)),
                      .bytes = static_cast<uint64_t>(query.integer(1))};
}

Result<std::optional<BucketEntry>> SqliteHubStore::bucket_entry(RepositoryId bucket, std::string_view path) {
  XET_TRY(auto connection, database_->reader());
  XET_TRY(auto query, connection->query("SELECT " XET_ENTRY_COLUMNS " WHERE repo_id = ?1 AND path = ?2"));
  XET_TRY(const bool found, query.bind(bucket, path).step());
  if (!found) return std::nullopt;
  XET_TRY(auto entry, entry_row(query));
  return entry;
}

Result<std::vector<BucketEntry>> SqliteHubStore::bucket_entries(RepositoryId bucket, std::string_view prefix,
                                                                std::string_view after, uint32_t limit) {
  XET_TRY(auto connection, database_->reader());
  // Behind everything that begins with the prefix: "a/" ends before "a0".
  std::optional<std::string> end;
  if (!prefix.empty()) {
    end.emplace(prefix);
    ++end->back();
  }
  const std::string_view from = std::max(prefix, after);
  XET_TRY(auto query, connection->query("SELECT " XET_ENTRY_COLUMNS " WHERE repo_id = ?1 AND path > ?2 "
                                        "AND (?3 IS NULL OR path < ?3) ORDER BY path LIMIT ?4"));
  std::optional<std::string_view> end_view;
  if (end) end_view = *end;
  query.bind(bucket, from, end_view, limit);
  std::vector<BucketEntry> out;
  for (;;) {
    XET_TRY(const bool found, query.step());
    if (!found) return out;
    XET_TRY(out.emplace_back(), entry_row(query));
  }
}

Status SqliteHubStore::change_bucket(RepositoryId bucket, std::span<const BucketChange> changes) {
  const int64_t now = database_->now_ms();
  return database_->write([&](Connection& connection) -> Status {
    for (const auto& change : changes) XET_TRY_STATUS(change_entry(connection, bucket, change));
    return touch(connection, bucket, now);
  });
}

}  // namespace xet::store
