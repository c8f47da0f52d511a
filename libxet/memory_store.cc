#include "libxet/memory_store.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/sync.h"
#include "io/file.h"

namespace xet {

namespace {

namespace fs = std::filesystem;

/// Removes its directory, in the process that made it only.
class Owner {
 public:
  Owner() = default;
  Owner(const Owner&) = delete;
  Owner& operator=(const Owner&) = delete;
  ~Owner() {
    std::error_code ignored;
    if (pid_ == ::getpid()) fs::remove_all(path_, ignored);
  }

  Result<std::string> get() {
    if (pid_ == ::getpid()) return path_;
    std::error_code error;
    std::string pattern = (fs::temp_directory_path(error) / "xet-memory-XXXXXX").string();
    if (error || ::mkdtemp(pattern.data()) == nullptr)
      return io::fail_errno("cannot make a directory for memory://", pattern, errno);
    path_ = std::move(pattern);
    pid_ = ::getpid();
    return path_;
  }

 private:
  std::string path_;
  pid_t pid_ = -1;
};

}  // namespace

Result<std::string> memory_store() {
  static Sync<Owner> owner;
  return owner.lock()->get();
}

}  // namespace xet
