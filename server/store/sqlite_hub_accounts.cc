// The parts of SqliteHubStore that are about users and tokens.

#include <fmt/format.h>

#include "server/store/sqlite_hub_store.h"
#include "server/store/sqlite_rows.h"

namespace xet::store {

namespace {

using sqlite::Connection;
using sqlite::Query;

#define XET_TOKEN_COLUMNS                                                                                \
  "token_id, users.name, role, label, tokens.created_at, expires_at, revoked_at FROM tokens JOIN users " \
  "USING (user_id)"

std::optional<TimeMs> time_or_null(const Query& query, int column) {
  if (query.is_null(column)) return std::nullopt;
  return query.integer(column);
}

TokenRow token_row(const Query& query) {
  return {.id = query.integer(0),
          .user = std::string(query.text(1)),
          .role = static_cast<TokenRole>(query.integer(2)),
          .label = std::string(query.text(3)),
          .name_spaces = {},
          .created = query.integer(4),
          .expires = time_or_null(query, 5),
          .revoked = time_or_null(query, 6)};
}

Status add_name_spaces(Connection& connection, TokenRow& row) {
  XET_TRY(auto query,
          connection.query("SELECT ns_name FROM token_scopes WHERE token_id = ?1 ORDER BY ns_name"));
  query.bind(row.id);
  for (;;) {
    XET_TRY(const bool found, query.step());
    if (!found) return {};
    row.name_spaces.emplace_back(query.text(0));
  }
}

Result<std::optional<TokenRow>> one_token(Connection& connection, Query& query) {
  XET_TRY(const bool found, query.step());
  if (!found) return std::nullopt;
  TokenRow row = token_row(query);
  XET_TRY_STATUS(add_name_spaces(connection, row));
  return row;
}

}  // namespace

Result<bool> SqliteHubStore::add_user(std::string_view name) {
  bool added = false;
  const int64_t now = database_->now_ms();
  const auto work = [&](Connection& connection) -> Status {
    XET_TRY(auto insert,
            connection.query("INSERT INTO users(name, created_at) SELECT ?1, ?2 WHERE NOT EXISTS "
                             "(SELECT 1 FROM users WHERE name = ?1 COLLATE NOCASE)"));
    XET_TRY_STATUS(insert.bind(name, now).run());
    added = connection.changes() == 1;
    return {};
  };
  XET_TRY_STATUS(database_->write(work));
  return added;
}

Result<bool> SqliteHubStore::has_user(std::string_view name) {
  XET_TRY(auto connection, database_->reader());
  XET_TRY(auto query, connection->query("SELECT 1 FROM users WHERE name = ?1"));
  return query.bind(name).step();
}

Result<std::vector<UserRow>> SqliteHubStore::users() {
  XET_TRY(auto connection, database_->reader());
  XET_TRY(auto query, connection->query("SELECT name, created_at FROM users ORDER BY name"));
  std::vector<UserRow> out;
  for (;;) {
    XET_TRY(const bool found, query.step());
    if (!found) return out;
    out.push_back({.name = std::string(query.text(0)), .created = query.integer(1)});
  }
}

Result<int64_t> SqliteHubStore::add_token(const TokenRow& row, const Sha256Digest& token_hash) {
  int64_t id = 0;
  const int64_t now = database_->now_ms();
  const auto work = [&](Connection& connection) -> Status {
    XET_TRY(auto insert,
            connection.query("INSERT INTO tokens(token_hash, user_id, role, label, created_at, expires_at) "
                             "SELECT ?1, user_id, ?3, ?4, ?5, ?6 FROM users WHERE name = ?2 "
                             "RETURNING token_id"));
    insert.bind(token_hash, std::string_view(row.user), static_cast<int>(row.role),
                std::string_view(row.label), now, row.expires);
    XET_TRY(const bool inserted, insert.step());
    if (!inserted) return fail(ErrorCode::kNotFound, fmt::format("there is no user {}", row.user));
    id = insert.integer(0);
    XET_TRY_STATUS(insert.run());
    for (const auto& name_space : row.name_spaces) {
      XET_TRY(auto scope, connection.query("INSERT INTO token_scopes(token_id, ns_name) VALUES (?1, ?2) "
                                           "ON CONFLICT DO NOTHING"));
      XET_TRY_STATUS(scope.bind(id, std::string_view(name_space)).run());
    }
    return {};
  };
  XET_TRY_STATUS(database_->write(work));
  return id;
}

Result<std::optional<TokenRow>> SqliteHubStore::find_token(const Sha256Digest& token_hash) {
  XET_TRY(auto connection, database_->reader());
  XET_TRY(auto query, connection->query("SELECT " XET_TOKEN_COLUMNS " WHERE token_hash = ?1"));
  query.bind(token_hash);
  return one_token(*connection, query);
}

Result<std::optional<TokenRow>> SqliteHubStore::token(int64_t id) {
  XET_TRY(auto connection, database_->reader());
  XET_TRY(auto query, connection->query("SELECT " XET_TOKEN_COLUMNS " WHERE token_id = ?1"));
  query.bind(id);
  return one_token(*connection, query);
}

Result<std::vector<TokenRow>> SqliteHubStore::tokens() {
  XET_TRY(auto connection, database_->reader());
  XET_TRY(const auto transaction, ReadTransaction::begin(*connection));
  XET_TRY(auto query, connection->query("SELECT " XET_TOKEN_COLUMNS " ORDER BY token_id"));
  std::vector<TokenRow> out;
  for (;;) {
    XET_TRY(const bool found, query.step());
    if (!found) break;
    out.push_back(token_row(query));
  }
  for (auto& row : out) XET_TRY_STATUS(add_name_spaces(*connection, row));
  return out;
}

Result<bool> SqliteHubStore::revoke_token(int64_t id) {
  bool revoked = false;
  const int64_t now = database_->now_ms();
  const auto work = [&](Connection& connection) -> Status {
    XET_TRY(auto update, connection.query("UPDATE tokens SET revoked_at = ?2 WHERE token_id = ?1 "
                                          "AND revoked_at IS NULL"));
    XET_TRY_STATUS(update.bind(id, now).run());
    revoked = connection.changes() == 1;
    return {};
  };
  XET_TRY_STATUS(database_->write(work));
  return revoked;
}

}  // namespace xet::store
