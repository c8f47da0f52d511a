#include "server/store/sqlite_rows.h"

#include <fmt/format.h>

#include <utility>

namespace xet::store {

Result<XorbRow> xorb_row(const sqlite::Query& query) {
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

FileRow file_row(const sqlite::Query& query, int first, const FileHash& file) {
  FileRow out{
      .hash = file,
      .size_bytes = static_cast<uint64_t>(query.integer(first)),
      .n_terms = static_cast<uint32_t>(query.integer(first + 1)),
      .inline_manifest = {},
      .manifest_generation = static_cast<uint32_t>(query.integer(first + 3)),
  };
  if (!query.is_null(first + 2)) {
    const ByteSpan manifest = query.blob(first + 2);
    out.inline_manifest.assign(manifest.begin(), manifest.end());
  }
  return out;
}

Result<int64_t> scope_of(sqlite::Connection& connection, RepositoryId repository) {
  XET_TRY(auto query, connection.query("SELECT ns_id FROM repos WHERE repo_id = ?1"));
  XET_TRY(const bool found, query.bind(repository).step());
  if (!found) return fail(ErrorCode::kInvalidArgument, fmt::format("there is no repository {}", repository));
  return query.integer(0);
}

Result<std::optional<RepositoryId>> find_repository_row(sqlite::Connection& connection,
                                                        const RepositoryName& name) {
  XET_TRY(auto query, connection.query("SELECT repo_id FROM repos JOIN namespaces USING (ns_id) "
                                       "WHERE type = ?1 AND namespaces.name = ?2 AND repos.name = ?3"));
  XET_TRY(const bool found, query.bind(static_cast<int>(name.type), name.name_space, name.name).step());
  if (!found) return std::nullopt;
  return query.integer(0);
}

Result<bool> insert_repository_row(sqlite::Connection& connection, const RepositoryName& name,
                                   int64_t now_ms) {
  XET_TRY(auto add_space,
          connection.query("INSERT INTO namespaces(name) VALUES (?1) ON CONFLICT(name) DO NOTHING"));
  XET_TRY_STATUS(add_space.bind(name.name_space).run());
  XET_TRY(auto add, connection.query("INSERT INTO repos(ns_id, type, name, created_at, updated_at) "
                                     "SELECT ns_id, ?1, ?3, ?4, ?4 FROM namespaces WHERE name = ?2 "
                                     "ON CONFLICT(type, ns_id, name) DO NOTHING"));
  XET_TRY_STATUS(add.bind(static_cast<int>(name.type), name.name_space, name.name, now_ms).run());
  return connection.changes() == 1;
}

Result<ReadTransaction> ReadTransaction::begin(sqlite::Connection& connection) {
  XET_TRY(auto query, connection.query("BEGIN"));
  XET_TRY_STATUS(query.run());
  return ReadTransaction(connection);
}

ReadTransaction::ReadTransaction(ReadTransaction&& other) noexcept
    : connection_(std::exchange(other.connection_, nullptr)) {}

ReadTransaction::~ReadTransaction() {
  if (connection_ == nullptr || !connection_->in_transaction()) return;
  // Nothing was written, so nothing is lost when this fails; the next BEGIN would say so.
  if (auto query = connection_->query("COMMIT")) (void)query->run();
}

}  // namespace xet::store
