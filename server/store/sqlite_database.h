#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/sync.h"
#include "server/store/sqlite.h"
#include "server/store/sync_health.h"
#include "server/store/write_queue.h"
#include "xet/result.h"

namespace xet::store {

/// One SQLite file as the stores use it: writes go through one connection with group commit; reads use
/// connections of their own, which never wait for writers (WAL). Thread-safe.
class SqliteDatabase {
 public:
  struct Options {
    std::chrono::milliseconds busy_timeout{30'000};
    std::shared_ptr<SyncHealth> health;  ///< required
    const Clock* clock = &system_clock();
  };
  /// Opens or creates the file and migrates it.
  static Result<std::shared_ptr<SqliteDatabase>> open(const std::filesystem::path& path,
                                                      const Options& options);

  /// A reading connection on loan.
  class Reader {
   public:
    Reader(SqliteDatabase& database, std::unique_ptr<sqlite::Connection> connection)
        : database_(&database), connection_(std::move(connection)) {}
    Reader(Reader&&) noexcept = default;
    Reader& operator=(Reader&&) = delete;
    ~Reader() {
      if (connection_) database_->idle_readers_.lock()->push_back(std::move(connection_));
    }
    sqlite::Connection& operator*() { return *connection_; }
    sqlite::Connection* operator->() { return connection_.get(); }

   private:
    SqliteDatabase* database_;
    std::unique_ptr<sqlite::Connection> connection_;
  };
  Result<Reader> reader();

  /// Runs `work` in a transaction; see WriteQueue.
  Status write(const WriteQueue::Work& work);

  int64_t now_s() const;
  int64_t now_ms() const;
  /// Takes other users' access to the file and what SQLite creates beside it: secrets lie in it.
  Status protect_files() const;

 private:
  SqliteDatabase(std::filesystem::path path, Options options, std::unique_ptr<sqlite::Connection> writer)
      : path_(std::move(path)), options_(std::move(options)), writes_(std::move(writer)) {}

  const std::filesystem::path path_;
  const Options options_;
  WriteQueue writes_;
  Sync<std::vector<std::unique_ptr<sqlite::Connection>>> idle_readers_;
};

}  // namespace xet::store
