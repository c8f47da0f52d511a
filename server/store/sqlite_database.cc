#include "server/store/sqlite_database.h"

#include <sys/stat.h>

#include <cerrno>

#include "base/clock.h"
#include "io/file.h"
#include "server/store/schema.h"

namespace xet::store {

using sqlite::Connection;

Result<std::shared_ptr<SqliteDatabase>> SqliteDatabase::open(const std::filesystem::path& path,
                                                             const Options& options) {
  XET_TRY(auto writer,
          Connection::open(path, {.busy_timeout = options.busy_timeout, .health = options.health}));
  XET_TRY_STATUS(migrate(*writer));
  return std::shared_ptr<SqliteDatabase>(new SqliteDatabase(path, options, std::move(writer)));
}

Result<SqliteDatabase::Reader> SqliteDatabase::reader() {
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

Status SqliteDatabase::write(const WriteQueue::Work& work) {
  XET_TRY_STATUS(options_.health->check_writable());
  return writes_.run(work);
}

int64_t SqliteDatabase::now_s() const {
  return now_ms() / 1000;
}

int64_t SqliteDatabase::now_ms() const {
  return unix_milliseconds(options_.clock->wall_now());
}

Status SqliteDatabase::protect_files() const {
  for (const char* suffix : {"", "-wal", "-shm"}) {
    const std::filesystem::path path = path_.string() + suffix;
    if (::chmod(path.c_str(), 0600) != 0 && errno != ENOENT) {
      return io::fail_errno("cannot take away other users' access, which keys need, from", path, errno);
    }
  }
  return {};
}

}  // namespace xet::store
