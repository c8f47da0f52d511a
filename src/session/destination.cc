#include "session/destination.h"

#include <fmt/format.h>

#include <system_error>

namespace xet::session {

namespace fs = std::filesystem;

Result<io::AtomicFile> open_destination(const fs::path& destination) {
  if (!destination.has_filename()) {
    return fail(ErrorCode::kIo, fmt::format("{} is not the name of a file", destination.string()));
  }
  fs::path path = destination;
  std::error_code error;
  if (fs::is_symlink(path, error)) {
    path = fs::weakly_canonical(path, error);
    if (error)
      return fail(ErrorCode::kIo, fmt::format("cannot follow {}: {}", destination.string(), error.message()));
  }
  const auto status = fs::status(path, error);
  if (fs::is_directory(status)) return fail(ErrorCode::kIo, fmt::format("{} is a directory", path.string()));
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{} is not a regular file; stream to it instead (xet cat)", path.string()));
  }
  if (path.has_parent_path()) XET_TRY_STATUS(io::create_directories(path.parent_path()));
  return io::AtomicFile::create(path);
}

}  // namespace xet::session
