#include "server/store/fs_object_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>  // renameat2
#include <utility>

#include "base/random.h"
#include "io/file.h"

namespace xet::store {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kTempFolder = "tmp";
constexpr std::string_view kTempSuffix = ".xet-tmp";
// What the kernel holds back in dirty pages before it is asked to write: the sync at the end then waits for
// little.
constexpr uint64_t kWritebackStep = 8 << 20;

class FileReader final : public ObjectReader {
 public:
  FileReader(io::File file, uint64_t size_bytes) : file_(std::move(file)), size_bytes_(size_bytes) {}
  uint64_t size_bytes() const override { return size_bytes_; }
  Status read_at(uint64_t offset, MutableByteSpan into) const override {
    return file_.read_exactly_at(offset, into);
  }
  std::optional<int> file_descriptor() const override { return file_.fd(); }

 private:
  io::File file_;
  uint64_t size_bytes_;
};

/// rename() that fails with EEXIST instead of replacing. Returns 0 or an errno.
int rename_no_replace(const fs::path& from, const fs::path& to) {
#ifdef RENAME_NOREPLACE
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;  // those two: a file system or kernel without it
#endif
  if (::link(from.c_str(), to.c_str()) != 0) return errno;
  ::unlink(from.c_str());
  return 0;
}

void sweep_temp_files(const fs::path& folder, fs::file_time_type older_than) {
  // Only tidying: an error here must not keep a store from being opened.
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() != kTempSuffix) continue;
    std::error_code gone;  // by another process that sweeps too
    const auto modified = it->last_write_time(gone);
    if (!gone && modified < older_than) fs::remove(it->path(), gone);
  }
}

}  // namespace

class FsObjectStore::Writer final : public ObjectWriter {
 public:
  Writer(FsObjectStore& store, io::File file) : store_(store), file_(std::move(file)) {}
  ~Writer() override {
    if (file_.is_open()) ::unlink(file_.path().c_str());
  }

  Status append(std::span<const ByteSpan> pieces) override {
    XET_TRY_STATUS(file_.write_at(size_bytes_, pieces));
    for (const auto& piece : pieces) size_bytes_ += piece.size();
    if (size_bytes_ - written_back_ >= kWritebackStep) {
      file_.start_writeback(written_back_, size_bytes_ - written_back_);
      written_back_ = size_bytes_;
    }
    return {};
  }

  uint64_t size_bytes() const override { return size_bytes_; }

  Result<bool> publish(const ObjectKey& key) override {
    XET_TRY_STATUS(store_.health_->check_writable());
    if (!synced_) XET_TRY_STATUS(sync());
    const fs::path destination = store_.path_of(key);
    const fs::path folder = destination.parent_path();
    XET_TRY_STATUS(store_.ensure_folder(folder));
    const int error = rename_no_replace(file_.path(), destination);
    if (error != 0 && error != EEXIST) return io::fail_errno("cannot create", destination, error);
    if (error == 0) XET_TRY_STATUS(file_.close());
    // From here on the object stays, whatever happens: another process may have found it and registered it.
    XET_TRY_STATUS(store_.sync_folder(folder));
    return error == 0;
  }

 private:
  Status sync() {
    if (auto outcome = file_.sync(); !outcome) {
      store_.health_->sync_failed(outcome.error());
      return outcome;
    }
    synced_ = true;
    return {};
  }

  FsObjectStore& store_;
  io::File file_;
  bool synced_ = false;
  uint64_t size_bytes_ = 0;
  uint64_t written_back_ = 0;
};

Result<std::unique_ptr<FsObjectStore>> FsObjectStore::open(const fs::path& directory,
                                                           std::shared_ptr<SyncHealth> health,
                                                           const Clock& clock) {
  for (const std::string_view name : {"x", "s", "m", "tmp"}) {
    XET_TRY_STATUS(io::create_directories(directory / name));
  }
  std::unique_ptr<FsObjectStore> store(new FsObjectStore(directory, std::move(health)));
  XET_TRY_STATUS(store->sync_folder(directory));
  sweep_temp_files(directory / kTempFolder,
                   std::chrono::file_clock::from_sys(clock.wall_now()) - kTempLifetime);
  return store;
}

Result<std::unique_ptr<ObjectWriter>> FsObjectStore::create() {
  XET_TRY_STATUS(health_->check_writable());
  const fs::path temp = directory_ / kTempFolder / (random_hex(8) + std::string(kTempSuffix));
  XET_TRY(auto file, io::File::create_new(temp));
  return std::make_unique<Writer>(*this, std::move(file));
}

Result<std::unique_ptr<ObjectReader>> FsObjectStore::open(const ObjectKey& key) {
  XET_TRY(auto file, io::File::open_read(path_of(key)));
  XET_TRY(const auto info, file.info());
  return std::make_unique<FileReader>(std::move(file), info.size_bytes);
}

Status FsObjectStore::remove(const ObjectKey& key) {
  XET_TRY_STATUS(health_->check_writable());
  return io::remove_file(path_of(key));
}

Status FsObjectStore::list(std::string_view kind, const std::function<Status(const ObjectInfo&)>& each) {
  const fs::path top = directory_ / kind;
  std::error_code error;
  for (fs::recursive_directory_iterator it(top, error), end; !error && it != end; it.increment(error)) {
    struct stat st;
    if (::lstat(it->path().c_str(), &st) != 0) {
      if (errno == ENOENT) continue;  // removed since
      return io::fail_errno("cannot stat", it->path(), errno);
    }
    if (!S_ISREG(st.st_mode)) continue;
    // The status changes with the rename that gives the object its name.
    const auto stored_at =
        std::chrono::seconds{st.st_ctim.tv_sec} + std::chrono::nanoseconds{st.st_ctim.tv_nsec};
    XET_TRY_STATUS(each({.key = {it->path().lexically_relative(directory_).generic_string()},
                         .size_bytes = static_cast<uint64_t>(st.st_size),
                         .stored_at = std::chrono::system_clock::time_point(
                             std::chrono::duration_cast<std::chrono::system_clock::duration>(stored_at))}));
  }
  if (error) return fail(ErrorCode::kIo, fmt::format("cannot list {}: {}", top.string(), error.message()));
  return {};
}

std::optional<uint64_t> FsObjectStore::free_bytes() const {
  struct statvfs vfs;
  if (::statvfs(directory_.c_str(), &vfs) != 0) return std::nullopt;
  return uint64_t{vfs.f_bavail} * vfs.f_frsize;
}

Status FsObjectStore::ensure_folder(const fs::path& folder) {
  if (durable_folders_.lock()->contains(folder.native())) return {};
  XET_TRY_STATUS(io::create_directories(folder));
  // Also when it was there: another process may have made it and not have come to sync it.
  XET_TRY_STATUS(sync_folder(folder.parent_path()));
  durable_folders_.lock()->insert(folder.native());
  return {};
}

Status FsObjectStore::sync_folder(const fs::path& folder) {
  auto synced = io::sync_directory(folder);
  if (!synced) health_->sync_failed(synced.error());
  return synced;
}

}  // namespace xet::store
