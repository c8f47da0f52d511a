#include "server/store/fs_object_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>  // renameat2
#include <utility>

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
  Writer(FsObjectStore& store, io::File file, fs::path destination)
      : store_(store), file_(std::move(file)), destination_(std::move(destination)) {}
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

  Result<bool> publish() override {
    XET_TRY_STATUS(store_.health_->check_writable());
    if (auto synced = file_.sync(); !synced) {
      store_.health_->sync_failed(synced.error());
      return tl::unexpected(std::move(synced).error());
    }
    const fs::path folder = destination_.parent_path();
    XET_TRY_STATUS(store_.ensure_folder(folder));
    const int error = rename_no_replace(file_.path(), destination_);
    if (error != 0 && error != EEXIST) return io::fail_errno("cannot create", destination_, error);
    const bool ours = error == 0;
    if (!ours) ::unlink(file_.path().c_str());
    XET_TRY_STATUS(file_.close());
    // From here on the object stays, whatever happens: another process may have found it and registered it.
    XET_TRY_STATUS(store_.sync_folder(folder));
    return ours;
  }

 private:
  FsObjectStore& store_;
  io::File file_;
  fs::path destination_;
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

Result<std::unique_ptr<ObjectWriter>> FsObjectStore::create(const ObjectKey& key) {
  XET_TRY_STATUS(health_->check_writable());
  const fs::path temp = directory_ / kTempFolder / (io::random_name() + std::string(kTempSuffix));
  XET_TRY(auto file, io::File::create_new(temp));
  return std::make_unique<Writer>(*this, std::move(file), path_of(key));
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
