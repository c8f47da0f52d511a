#include "session/destination.h"

#include <fmt/format.h>

#include <system_error>

namespace xet::session {

namespace fs = std::filesystem;

namespace {

constexpr int kMaxLinks = 40;  // as many as the kernel follows

/// The path that symbolic links lead to, whether there is something or not.
Result<fs::path> follow_links(const fs::path& destination) {
  fs::path path = destination;
  std::error_code error;
  for (int i = 0; i < kMaxLinks; ++i) {
    if (!fs::is_symlink(path, error)) return path;
    const fs::path target = fs::read_symlink(path, error);
    if (error) {
      return fail(ErrorCode::kIo, fmt::format("cannot follow {}: {}", destination.string(), error.message()));
    }
    path = path.parent_path() / target;  // an absolute target replaces all of it
  }
  return fail(ErrorCode::kIo, fmt::format("{} leads through too many symbolic links", destination.string()));
}

}  // namespace

Result<io::AtomicFile> open_destination(const fs::path& destination) {
  if (!destination.has_filename()) {
    return fail(ErrorCode::kIo, fmt::format("{} is not the name of a file", destination.string()));
  }
  XET_TRY(const fs::path path, follow_links(destination));
  std::error_code error;
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
