#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/bytes.h"
#include "server/store/sync_health.h"
#include "xet/hash.h"
#include "xet/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace xet::store::sqlite {

class Connection;

/// One run of a prepared statement: bind, step, read columns. Columns point into SQLite's memory and are
/// valid until the next step() or the end of the Query. Returned to its connection when destroyed. At most
/// one run of the same SQL text per connection at a time.
///
///     XET_TRY(auto query, connection.query("SELECT size FROM files WHERE hash = ?1"));
///     query.bind(hash);
///     XET_TRY(const bool found, query.step());
class Query {
 public:
  ~Query();
  Query(Query&& other) noexcept;
  Query& operator=(Query&&) = delete;

  /// Binds ?1, ?2, … in order: integers, hashes, byte spans, text, and optionals of those (nullopt is NULL).
  template <class... Values>
  Query& bind(const Values&... values) {
    int at = 0;
    (bind_one(++at, values), ...);
    return *this;
  }

  /// True: a row is there. False: done.
  Result<bool> step();
  /// For statements that give no rows.
  Status run();

  int64_t integer(int column) const;
  ByteSpan blob(int column) const;
  std::string_view text(int column) const { return as_chars(blob(column)); }
  bool is_null(int column) const;
  /// kCorruption when the column is not 32 bytes long.
  template <class HashType>
  Result<HashType> hash(int column) const {
    const ByteSpan raw = blob(column);
    if (raw.size() != HashType::kSize) return bad_hash(column, raw.size());
    return HashType(raw.first<HashType::kSize>());
  }

 private:
  friend class Connection;
  Query(Connection& connection, sqlite3_stmt* statement) : connection_(&connection), statement_(statement) {}

  void bind_integer(int at, int64_t value);
  void bind_blob(int at, ByteSpan value);
  void bind_text(int at, std::string_view value);
  void bind_null(int at);
  template <std::integral T>
  void bind_one(int at, T value) {
    bind_integer(at, static_cast<int64_t>(value));
  }
  template <class Tag>
  void bind_one(int at, const BasicHash<Tag>& value) {
    bind_blob(at, value.raw());
  }
  void bind_one(int at, ByteSpan value) { bind_blob(at, value); }
  void bind_one(int at, std::string_view value) { bind_text(at, value); }
  template <class T>
  void bind_one(int at, const std::optional<T>& value) {
    if (value) {
      bind_one(at, *value);
    } else {
      bind_null(at);
    }
  }
  tl::unexpected<Error> bad_hash(int column, size_t size) const;

  Connection* connection_;
  sqlite3_stmt* statement_;
};

/// A connection to one database file. Use from one thread at a time; several connections, also of several
/// processes, may be open on one file.
class Connection {
 public:
  struct Options {
    std::chrono::milliseconds busy_timeout{30'000};  ///< how long to wait for locks of other connections
    std::shared_ptr<SyncHealth> health;              ///< told of failed syncs; required
  };
  /// Opens or creates the file in WAL mode with synchronous=FULL: a commit is durable when it returns.
  static Result<std::unique_ptr<Connection>> open(const std::filesystem::path& path, const Options& options);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Runs one or several statements without parameters and results.
  Status execute(const char* sql);
  /// A prepared statement, kept for the next time. `sql` must be a string literal.
  Result<Query> query(const char* sql);
  /// The path, for messages.
  const std::string& name() const { return name_; }
  /// Rows changed by the last INSERT, UPDATE or DELETE.
  int64_t changes() const;
  /// False also after an error that made SQLite roll back by itself.
  bool in_transaction() const;

 private:
  friend class Query;
  Connection(sqlite3* db, std::string name, std::shared_ptr<SyncHealth> health);
  Status use_wal(std::chrono::milliseconds patience);
  tl::unexpected<Error> error(int code) const;

  sqlite3* db_;
  std::string name_;
  std::shared_ptr<SyncHealth> health_;
  std::unordered_map<const char*, sqlite3_stmt*> statements_;
};

}  // namespace xet::store::sqlite
