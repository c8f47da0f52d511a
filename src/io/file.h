#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "base/bytes.h"
#include "xet/result.h"

struct iovec;  // <sys/uio.h>
struct stat;   // <sys/stat.h>

namespace xet::io {

/// What stat tells of an open file, as far as we care.
struct FileInfo {
  uint64_t size_bytes = 0;
  int64_t mtime_ns = 0;  ///< since the epoch
  uint64_t device = 0;
  uint64_t inode = 0;
  bool is_regular = false;

  friend bool operator==(const FileInfo&, const FileInfo&) = default;
};

/// The same from a stat that is at hand.
FileInfo file_info(const struct ::stat& st);

/// The system calls that File makes, so that tests can put faults (short writes, EINTR, ENOSPC, failing
/// fsync) between. Each works like its namesake and sets errno.
class SystemCalls {
 public:
  virtual ~SystemCalls() = default;
  virtual ssize_t pread(int fd, void* buffer, size_t n, off_t offset);
  virtual ssize_t read(int fd, void* buffer, size_t n);
  virtual ssize_t pwritev(int fd, const ::iovec* pieces, int n_pieces, off_t offset);
  virtual int fsync(int fd);
  /// fallocate() from the start of the file; EOPNOTSUPP where the system has none.
  virtual int fallocate(int fd, off_t size_bytes);
};

/// Puts `calls` in the place of the system calls of all Files, process-wide, until destroyed. For tests; set
/// up before the threads under test start.
class ScopedSystemCalls {
 public:
  explicit ScopedSystemCalls(SystemCalls& calls);
  ~ScopedSystemCalls();
  ScopedSystemCalls(const ScopedSystemCalls&) = delete;
  ScopedSystemCalls& operator=(const ScopedSystemCalls&) = delete;

 private:
  SystemCalls* previous_;
};

/// An open file; closes it in the destructor. Errors are kIo with path and errno text (kNotFound for a
/// missing file, kNoSpace for a full disk). Reads and writes at positions may be used from several threads at
/// once.
class File {
 public:
  File() = default;
  ~File();
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;

  static Result<File> open_read(const std::filesystem::path& path);
  /// For pipes and devices: neither opening nor reading waits for the other end (see read_once()).
  static Result<File> open_nonblocking(const std::filesystem::path& path);
  /// Creates the file; kIo when it exists already.
  static Result<File> create_new(const std::filesystem::path& path, mode_t mode = 0666);

  bool is_open() const { return fd_ >= 0; }
  int fd() const { return fd_; }
  const std::filesystem::path& path() const { return path_; }
  Result<FileInfo> info() const;

  /// Reads up to `into.size()` bytes at `offset`; fewer only at the end of the file. EINTR and short reads
  /// are handled.
  Result<size_t> read_at(uint64_t offset, MutableByteSpan into) const;
  /// Reads exactly `into.size()` bytes; kCorruption when the file ends before.
  Status read_exactly_at(uint64_t offset, MutableByteSpan into) const;
  /// One read from the current position, for pipes: what is there now, 0 at the end; nothing when the file
  /// is non-blocking and there is nothing yet.
  Result<std::optional<size_t>> read_once(MutableByteSpan into) const;

  /// Writes everything, whatever the system's limits on pieces and lengths; short writes and EINTR are
  /// handled.
  Status write_at(uint64_t offset, ByteSpan bytes) const;
  Status write_at(uint64_t offset, std::span<const ByteSpan> pieces) const;

  /// Reserves space so that a full disk shows early. Not supported by the file system: succeeds.
  Status reserve(uint64_t size_bytes) const;
  Status truncate(uint64_t size_bytes) const;
  /// Asks the kernel to start writing dirty pages of the range, without waiting. Only a hint.
  void start_writeback(uint64_t offset, uint64_t size_bytes) const;
  Status sync() const;
  /// Closes and reports what close() says.
  Status close();

 private:
  File(int fd, std::filesystem::path path) : fd_(fd), path_(std::move(path)) {}
  int fd_ = -1;
  std::filesystem::path path_;
};

/// kIo (kNotFound for ENOENT, kNoSpace for ENOSPC and EDQUOT) with "what PATH: errno text".
tl::unexpected<Error> fail_errno(std::string_view what, const std::filesystem::path& path, int error_number);

Status create_directories(const std::filesystem::path& path);
/// Makes renames and removals inside `directory` survive a power failure.
Status sync_directory(const std::filesystem::path& directory);
Result<ByteVector> read_file(const std::filesystem::path& path, uint64_t max_bytes);
Status remove_file(const std::filesystem::path& path);  ///< a missing file is fine

/// A file that gets its name only when it is complete: written beside the destination as
/// ".NAME.RANDOM.xet-tmp", then fsync + rename. Destroyed without publish() it is removed. A leftover of a
/// killed process is found by its form: is_temp_name().
///
///     XET_TRY(auto out, AtomicFile::create(dir / "model.bin"));
///     XET_TRY_STATUS(out.file().write_at(0, bytes));
///     XET_TRY_STATUS(out.publish(Durability::kFull));
class AtomicFile {
 public:
  enum class Durability : uint8_t {
    kRename,  ///< never seen half-written by a running machine; content may be lost with the power
    kFile,    ///< content on disk before the name; the name itself may be lost with the power
    kFull,    ///< content and name on disk when publish() returns
  };
  enum class IfExists : uint8_t { kReplace, kKeep };

  /// The temp file has the permissions of the destination, where there is one.
  static Result<AtomicFile> create(const std::filesystem::path& destination);
  AtomicFile(AtomicFile&&) noexcept = default;
  AtomicFile& operator=(AtomicFile&&) = delete;

  const File& file() const { return file_; }
  const std::filesystem::path& destination() const { return destination_; }
  /// Gives the file its name. With kKeep and an existing destination the temp file is dropped; returns
  /// whether the destination is now ours.
  Result<bool> publish(Durability durability, IfExists if_exists = IfExists::kReplace);

  static bool is_temp_name(const std::filesystem::path& name);

 private:
  /// The name to be removed, unless it was given up; empty then and after a move.
  struct TempName {
    explicit TempName(std::filesystem::path name) : path(std::move(name)) {}
    TempName(TempName&& other) noexcept : path(std::exchange(other.path, {})) {}
    TempName& operator=(TempName&&) = delete;
    ~TempName() { remove(); }
    void remove();
    std::filesystem::path path;
  };

  AtomicFile(File file, std::filesystem::path destination)
      : temp_(file.path()), file_(std::move(file)), destination_(std::move(destination)) {}
  TempName temp_;  // removed after the file is closed
  File file_;
  std::filesystem::path destination_;
};

/// create + write + publish.
Status write_file_atomically(const std::filesystem::path& destination, ByteSpan bytes,
                             AtomicFile::Durability durability);

/// Read-only memory map of a whole file. The file must not shrink while mapped: use it only for files that
/// are replaced by rename, never written in place.
class MappedFile {
 public:
  static Result<MappedFile> open(const std::filesystem::path& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();
  ByteSpan bytes() const { return bytes_; }

 private:
  explicit MappedFile(ByteSpan bytes) : bytes_(bytes) {}
  ByteSpan bytes_;
};

}  // namespace xet::io
