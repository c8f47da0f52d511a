#include "io/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/random.h"

namespace xet::io {

namespace fs = std::filesystem;

// --- System calls
// ---------------------------------------------------------------------------------------------------

ssize_t SystemCalls::pread(int fd, void* buffer, size_t n, off_t offset) {
  return ::pread(fd, buffer, n, offset);
}
ssize_t SystemCalls::read(int fd, void* buffer, size_t n) {
  return ::read(fd, buffer, n);
}
ssize_t SystemCalls::pwritev(int fd, const ::iovec* pieces, int n_pieces, off_t offset) {
  return ::pwritev(fd, pieces, n_pieces, offset);
}
int SystemCalls::fsync(int fd) {
  return ::fsync(fd);
}
int SystemCalls::fallocate(int fd, off_t size_bytes) {
#ifdef __linux__
  return ::fallocate(fd, 0, 0, size_bytes);
#else
  (void)fd;
  (void)size_bytes;
  errno = EOPNOTSUPP;
  return -1;
#endif
}

namespace {

SystemCalls g_real_calls;  // stateless
std::atomic<SystemCalls*> g_calls{
    &g_real_calls};  // written by tests before their threads start; no pairing needed

SystemCalls& calls() {
  return *g_calls.load(std::memory_order_acquire);
}

// Linux moves at most 0x7ffff000 bytes per call and IOV_MAX pieces; staying well below keeps calls
// interruptible.
constexpr size_t kMaxBytesPerCall = size_t{256} << 20;
constexpr size_t kMaxPiecesPerCall = std::min(IOV_MAX, 256);

}  // namespace

ScopedSystemCalls::ScopedSystemCalls(SystemCalls& replacement) : previous_(g_calls.exchange(&replacement)) {}
ScopedSystemCalls::~ScopedSystemCalls() {
  g_calls.store(previous_);
}

// --- Errors
// ---------------------------------------------------------------------------------------------------------

namespace {
ErrorCode code_of(int error_number) {
  switch (error_number) {
    case ENOENT:
      return ErrorCode::kNotFound;
    case ENOSPC:
    case EDQUOT:
      return ErrorCode::kNoSpace;
    default:
      return ErrorCode::kIo;
  }
}
}  // namespace

tl::unexpected<Error> fail_errno(std::string_view what, const fs::path& path, int error_number) {
  return fail(code_of(error_number),
              fmt::format("{} {}: {}", what, path.string(), std::strerror(error_number)));
}

// --- File
// -----------------------------------------------------------------------------------------------------------

File::~File() {
  if (fd_ >= 0) ::close(fd_);
}

File::File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}

File& File::operator=(File&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = std::exchange(other.fd_, -1);
    path_ = std::move(other.path_);
  }
  return *this;
}

Result<File> File::open_read(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail_errno("cannot open", path, errno);
  return File(fd, path);
}

Result<File> File::open_nonblocking(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return fail_errno("cannot open", path, errno);
  return File(fd, path);
}

Result<File> File::create_new(const fs::path& path, mode_t mode) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd < 0) return fail_errno("cannot create", path, errno);
  return File(fd, path);
}

FileInfo file_info(const struct ::stat& st) {
  return FileInfo{
      .size_bytes = static_cast<uint64_t>(st.st_size),
      .mtime_ns = int64_t{st.st_mtim.tv_sec} * 1'000'000'000 + st.st_mtim.tv_nsec,
      .device = st.st_dev,
      .inode = st.st_ino,
      .is_regular = S_ISREG(st.st_mode),
  };
}

Result<FileInfo> File::info() const {
  struct stat st;
  if (::fstat(fd_, &st) != 0) return fail_errno("cannot stat", path_, errno);
  return file_info(st);
}

namespace {
/// Calls `read_piece(buffer, n, done_so_far)` until `into` is full or the input ends.
template <class ReadPiece>
Result<size_t> read_fully(const fs::path& path, MutableByteSpan into, ReadPiece read_piece) {
  size_t done = 0;
  while (done < into.size()) {
    const size_t wanted = std::min(into.size() - done, kMaxBytesPerCall);
    const ssize_t n = read_piece(into.data() + done, wanted, done);
    if (n < 0) {
      if (errno == EINTR) continue;
      return fail_errno("cannot read", path, errno);
    }
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  return done;
}
}  // namespace

Result<size_t> File::read_at(uint64_t offset, MutableByteSpan into) const {
  return read_fully(path_, into, [&](void* buffer, size_t n, size_t done) {
    return calls().pread(fd_, buffer, n, static_cast<off_t>(offset + done));
  });
}

Status File::read_exactly_at(uint64_t offset, MutableByteSpan into) const {
  XET_TRY(const size_t n, read_at(offset, into));
  if (n != into.size()) {
    return fail(ErrorCode::kCorruption, fmt::format("{} ends at {}, {} bytes wanted at {}", path_.string(),
                                                    offset + n, into.size(), offset));
  }
  return {};
}

Result<std::optional<size_t>> File::read_once(MutableByteSpan into) const {
  for (;;) {
    const ssize_t n = calls().read(fd_, into.data(), into.size());
    if (n >= 0) return static_cast<size_t>(n);
    if (errno == EAGAIN) return std::nullopt;
    if (errno != EINTR) return fail_errno("cannot read", path_, errno);
  }
}

Status File::write_at(uint64_t offset, ByteSpan bytes) const {
  return write_at(offset, std::span(&bytes, 1));
}

Status File::write_at(uint64_t offset, std::span<const ByteSpan> pieces) const {
  std::vector<::iovec> batch;
  batch.reserve(std::min(pieces.size(), kMaxPiecesPerCall));
  size_t first = 0;    // first piece not completely written
  size_t skipped = 0;  // bytes of it that are
  while (true) {
    while (first < pieces.size() && skipped == pieces[first].size()) {
      ++first;
      skipped = 0;
    }
    if (first == pieces.size()) return {};

    batch.clear();
    size_t batch_bytes = 0;
    for (size_t i = first; i < pieces.size() && batch.size() < kMaxPiecesPerCall; ++i) {
      auto piece = i == first ? pieces[i].subspan(skipped) : pieces[i];
      piece = piece.first(std::min(piece.size(), kMaxBytesPerCall - batch_bytes));
      batch.push_back({const_cast<std::byte*>(piece.data()), piece.size()});
      batch_bytes += piece.size();
      if (batch_bytes == kMaxBytesPerCall) break;
    }
    const ssize_t n =
        calls().pwritev(fd_, batch.data(), static_cast<int>(batch.size()), static_cast<off_t>(offset));
    if (n < 0) {
      if (errno == EINTR) continue;
      return fail_errno("cannot write", path_, errno);
    }
    if (n == 0)
      return fail_errno("cannot write", path_, EIO);  // not an error to the kernel, but no progress either
    offset += static_cast<uint64_t>(n);
    auto left = static_cast<size_t>(n);
    while (left > 0) {
      const size_t rest = pieces[first].size() - skipped;
      const size_t step = std::min(rest, left);
      skipped += step;
      left -= step;
      if (skipped == pieces[first].size()) {
        ++first;
        skipped = 0;
      }
    }
  }
}

Status File::reserve(uint64_t size_bytes) const {
  if (size_bytes == 0) return {};
  // Not posix_fallocate(): where the file system cannot, that writes into each block, beside other threads
  // that write there already.
  while (calls().fallocate(fd_, static_cast<off_t>(size_bytes)) != 0) {
    if (errno == EINTR) continue;
    if (errno == EOPNOTSUPP || errno == EINVAL || errno == ENOSYS) return {};
    return fail_errno("cannot reserve space for", path_, errno);
  }
  return {};
}

Status File::truncate(uint64_t size_bytes) const {
  if (::ftruncate(fd_, static_cast<off_t>(size_bytes)) != 0) return fail_errno("cannot resize", path_, errno);
  return {};
}

void File::start_writeback(uint64_t offset, uint64_t size_bytes) const {
#ifdef __linux__
  ::sync_file_range(fd_, static_cast<off_t>(offset), static_cast<off_t>(size_bytes), SYNC_FILE_RANGE_WRITE);
#else
  (void)offset;
  (void)size_bytes;
#endif
}

namespace {
int sync_fully(int fd) {
  for (;;) {
    if (calls().fsync(fd) == 0) return 0;
    if (errno != EINTR) return errno;
  }
}
}  // namespace

Status File::sync() const {
  if (const int error_number = sync_fully(fd_); error_number != 0)
    return fail_errno("cannot sync", path_, error_number);
  return {};
}

Status File::close() {
  if (fd_ < 0) return {};
  if (::close(std::exchange(fd_, -1)) != 0 && errno != EINTR) return fail_errno("cannot close", path_, errno);
  return {};
}

// --- Whole files and directories
// ------------------------------------------------------------------------------------

Status create_directories(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (!error) return {};
  const bool full = error == std::errc::no_space_on_device || error.value() == EDQUOT;
  return fail(full ? ErrorCode::kNoSpace : ErrorCode::kIo,
              fmt::format("cannot create directory {}: {}", path.string(), error.message()));
}

Status sync_directory(const fs::path& directory) {
  const int fd = ::open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return fail_errno("cannot open directory", directory, errno);
  const int error_number = sync_fully(fd);
  ::close(fd);
  if (error_number != 0) return fail_errno("cannot sync directory", directory, error_number);
  return {};
}

Result<ByteVector> read_file(const fs::path& path, uint64_t max_bytes) {
  XET_TRY(const auto file, File::open_read(path));
  XET_TRY(const auto info, file.info());
  if (info.size_bytes > max_bytes) {
    return fail(ErrorCode::kCorruption, fmt::format("{} has {} bytes, at most {} expected", path.string(),
                                                    info.size_bytes, max_bytes));
  }
  ByteVector out(info.size_bytes);
  XET_TRY_STATUS(file.read_exactly_at(0, out));
  return out;
}

Status remove_file(const fs::path& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno("cannot remove", path, errno);
  return {};
}

// --- AtomicFile
// -----------------------------------------------------------------------------------------------------

namespace {
constexpr std::string_view kTempSuffix = ".xet-tmp";
// Leaves room for the dots, 16 random digits and the suffix in the 255 bytes of a file name.
constexpr size_t kMaxNameInTemp = 200;
}  // namespace

bool AtomicFile::is_temp_name(const fs::path& name) {
  const std::string text = name.filename().string();
  return text.starts_with('.') && text.ends_with(kTempSuffix);
}

Result<AtomicFile> AtomicFile::create(const fs::path& destination) {
  const std::string name = destination.filename().string().substr(0, kMaxNameInTemp);
  const fs::path temp = destination.parent_path() / fmt::format(".{}.{}{}", name, random_hex(8), kTempSuffix);
  XET_TRY(auto file, File::create_new(temp));
  AtomicFile out(std::move(file), destination);  // removes the temp file if there is no use for it
  struct stat replaced;
  if (::stat(destination.c_str(), &replaced) == 0 && S_ISREG(replaced.st_mode) &&
      ::fchmod(out.file_.fd(), replaced.st_mode & 07777) != 0) {
    return fail_errno("cannot set the permissions of", temp, errno);
  }
  return out;
}

void AtomicFile::TempName::remove() {
  if (!path.empty()) ::unlink(path.c_str());
  path.clear();
}

Result<bool> AtomicFile::publish(Durability durability, IfExists if_exists) {
  XET_CHECK(file_.is_open());
  if (durability != Durability::kRename) XET_TRY_STATUS(file_.sync());
  XET_TRY_STATUS(file_.close());  // before the rename: some file systems report lost writes only here
  bool ours = true;
  if (if_exists == IfExists::kKeep) {
    // link() fails atomically when the name is taken; the temp name goes away either way
    if (::link(temp_.path.c_str(), destination_.c_str()) != 0) {
      if (errno != EEXIST) return fail_errno("cannot create", destination_, errno);
      ours = false;
    }
    temp_.remove();
  } else if (::rename(temp_.path.c_str(), destination_.c_str()) != 0) {
    return fail_errno("cannot create", destination_, errno);
  }
  temp_.path.clear();
  if (durability == Durability::kFull) XET_TRY_STATUS(sync_directory(destination_.parent_path()));
  return ours;
}

Status write_file_atomically(const fs::path& destination, ByteSpan bytes, AtomicFile::Durability durability) {
  XET_TRY(auto out, AtomicFile::create(destination));
  XET_TRY_STATUS(out.file().write_at(0, bytes));
  XET_TRY([[maybe_unused]] const bool ours, out.publish(durability));
  return {};
}

// --- MappedFile
// -----------------------------------------------------------------------------------------------------

Result<MappedFile> MappedFile::open(const fs::path& path) {
  XET_TRY(const auto file, File::open_read(path));
  XET_TRY(const auto info, file.info());
  if (info.size_bytes == 0) return MappedFile(ByteSpan{});
  void* at = ::mmap(nullptr, info.size_bytes, PROT_READ, MAP_SHARED, file.fd(), 0);
  if (at == MAP_FAILED) return fail_errno("cannot map", path, errno);
  return MappedFile(ByteSpan(static_cast<const std::byte*>(at), info.size_bytes));
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

}  // namespace xet::io
