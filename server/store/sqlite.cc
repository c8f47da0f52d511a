#include "server/store/sqlite.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <cerrno>
#include <thread>
#include <utility>

#include "base/check.h"

namespace xet::store::sqlite {

namespace {

ErrorCode code_of(int extended) {
  switch (extended & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return ErrorCode::kUnavailable;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return ErrorCode::kCorruption;
    case SQLITE_FULL:
      return ErrorCode::kNoSpace;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return ErrorCode::kIo;
    default:
      return ErrorCode::kInternal;
  }
}

// Binding fails only for a wrong index or a value beyond SQLite's 1 GB limit: our own mistakes.
void check_bound(int outcome) {
  XET_CHECK(outcome == SQLITE_OK);
}

}  // namespace

// --- Query ---

Query::Query(Query&& other) noexcept
    : connection_(other.connection_), statement_(std::exchange(other.statement_, nullptr)) {}

Query::~Query() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

Result<bool> Query::step() {
  const int outcome = sqlite3_step(statement_);
  if (outcome == SQLITE_ROW) return true;
  if (outcome == SQLITE_DONE) return false;
  return connection_->error(outcome);
}

Status Query::run() {
  XET_TRY([[maybe_unused]] const bool row, step());
  return {};
}

int64_t Query::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

ByteSpan Query::blob(int column) const {
  const auto* data = static_cast<const std::byte*>(sqlite3_column_blob(statement_, column));
  return {data, static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

bool Query::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

void Query::bind_integer(int at, int64_t value) {
  check_bound(sqlite3_bind_int64(statement_, at, value));
}

void Query::bind_blob(int at, ByteSpan value) {
  // An empty span may have a null pointer, which SQLite would take for NULL.
  const void* data = value.empty() ? "" : static_cast<const void*>(value.data());
  check_bound(sqlite3_bind_blob64(statement_, at, data, value.size(), SQLITE_TRANSIENT));
}

void Query::bind_text(int at, std::string_view value) {
  const char* data = value.empty() ? "" : value.data();
  check_bound(sqlite3_bind_text64(statement_, at, data, value.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
}

void Query::bind_null(int at) {
  check_bound(sqlite3_bind_null(statement_, at));
}

tl::unexpected<Error> Query::bad_hash(int column, size_t size) const {
  return fail(ErrorCode::kCorruption,
              fmt::format("{}: column {} of a row has {} bytes where a hash of 32 belongs",
                          connection_->name_, column, size));
}

// --- Connection ---

Connection::Connection(sqlite3* db, std::string name, std::shared_ptr<SyncHealth> health)
    : db_(db), name_(std::move(name)), health_(std::move(health)) {}

Connection::~Connection() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close(db_);
}

Result<std::unique_ptr<Connection>> Connection::open(const std::filesystem::path& path,
                                                     const Options& options) {
  sqlite3* db = nullptr;
  const int outcome = sqlite3_open_v2(
      path.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  // SQLite gives a handle even on failure, for the message; it has to be closed all the same.
  std::unique_ptr<Connection> connection(new Connection(db, path.string(), options.health));
  if (outcome != SQLITE_OK) return connection->error(outcome);
  sqlite3_extended_result_codes(db, 1);
  sqlite3_busy_timeout(db, static_cast<int>(options.busy_timeout.count()));
  XET_TRY_STATUS(connection->use_wal(options.busy_timeout));
  XET_TRY_STATUS(
      connection->execute("PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-4096;"));
  return connection;
}

/// Switching a new file to WAL needs it exclusively, and SQLite does not call its busy handler there: of two
/// processes that create a store together one has to try again.
Status Connection::use_wal(std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  auto pause = std::chrono::milliseconds{1};
  for (;;) {
    auto outcome = execute("PRAGMA journal_mode=WAL");
    if (outcome || outcome.error().code != ErrorCode::kUnavailable) return outcome;
    if (std::chrono::steady_clock::now() >= deadline) return outcome;
    std::this_thread::sleep_for(pause);
    pause = std::min(2 * pause, std::chrono::milliseconds{50});
  }
}

Status Connection::execute(const char* sql) {
  const int outcome = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
  if (outcome != SQLITE_OK) return error(outcome);
  return {};
}

Result<Query> Connection::query(const char* sql) {
  auto& statement = statements_[sql];
  if (statement == nullptr) {
    const int outcome = sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (outcome != SQLITE_OK) return error(outcome);
  }
  return Query(*this, statement);
}

int64_t Connection::changes() const {
  return sqlite3_changes64(db_);
}

bool Connection::in_transaction() const {
  return sqlite3_get_autocommit(db_) == 0;
}

tl::unexpected<Error> Connection::error(int code) const {
  const int extended = db_ == nullptr ? code : sqlite3_extended_errcode(db_);
  const char* text = db_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(db_);
  Error out{code_of(extended), fmt::format("{}: {}", name_, text)};
  // For its shared memory SQLite tells a full disk as any other error.
  if (out.code == ErrorCode::kIo && db_ != nullptr) {
    const int cause = sqlite3_system_errno(db_);
    if (cause == ENOSPC || cause == EDQUOT) out.code = ErrorCode::kNoSpace;
  }
  if (out.code == ErrorCode::kUnavailable) {
    out.message = fmt::format("{} is locked by another process for too long ({})", name_, text);
  }
  if (extended == SQLITE_IOERR_FSYNC || extended == SQLITE_IOERR_DIR_FSYNC) {
    health_->sync_failed(out);
  }
  return tl::unexpected<Error>(std::move(out));
}

}  // namespace xet::store::sqlite
