#include "session/source_opener.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace xet::session {

namespace {

constexpr size_t kPipeReadBytes = size_t{256} << 10;
constexpr int kPollMs = 100;  // how soon a thread that waits for a silent pipe sees the stop token

Result<bool> has_content(const io::File& file) {
  std::array<std::byte, 1> probe;
  XET_TRY(const size_t n, file.read_at(0, probe));
  return n > 0;
}

/// False when the stop token fired before there was something to read.
bool wait_readable(const io::File& file, const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    pollfd wanted{file.fd(), POLLIN, 0};
    const int n = ::poll(&wanted, 1, kPollMs);
    if (n > 0 || (n < 0 && errno != EINTR)) return true;  // an error shows in the read
  }
  return false;
}

}  // namespace

Status SourceOpener::add(size_t source, const std::filesystem::path& path, bool want_sha256,
                         std::shared_ptr<FileProgress> progress) {
  struct stat st;
  if (::stat(path.c_str(), &st) != 0) return io::fail_errno("cannot open", path, errno);
  if (S_ISDIR(st.st_mode)) return fail(ErrorCode::kIo, fmt::format("{} is a directory", path.string()));
  if (S_ISSOCK(st.st_mode)) return fail(ErrorCode::kIo, fmt::format("{} is a socket", path.string()));

  if (S_ISREG(st.st_mode) && st.st_size > 0) {
    monitor_.total_bytes.fetch_add(static_cast<uint64_t>(st.st_size), std::memory_order_relaxed);
    count_total(progress, static_cast<uint64_t>(st.st_size));
    ingest_.add_file(source, path, io::file_info(st), want_sha256);
    return {};
  }
  XET_TRY(auto file, io::File::open_nonblocking(path));
  if (S_ISREG(st.st_mode)) {
    XET_TRY(const bool more_than_it_says, has_content(file));
    if (!more_than_it_says) {
      ingest_.add_file(source, path, io::file_info(st), want_sha256);
      return {};
    }
  }
  return push_from(std::move(file), source, want_sha256, std::move(progress));
}

Status SourceOpener::push_from(io::File file, size_t source, bool want_sha256,
                               std::shared_ptr<FileProgress> progress) {
  const auto path = file.path();
  auto push = [this, token = in_flight_.token(), stream = ingest_.add_stream(source, want_sha256),
               file = std::move(file), progress = std::move(progress)] {
    ByteVector buffer(kPipeReadBytes);
    const auto push_all = [&]() -> Status {
      for (;;) {
        if (!wait_readable(file, monitor_.stop_token())) return fail(ErrorCode::kCancelled, "cancelled");
        XET_TRY(const auto n, file.read_once(buffer));
        if (!n) continue;  // somebody else reads the pipe too
        if (*n == 0) return {};
        monitor_.total_bytes.fetch_add(*n, std::memory_order_relaxed);
        count_total(progress, *n);
        XET_TRY_STATUS(stream->write(ByteSpan(buffer).first(*n)));
      }
    };
    stream->finish(push_all());
  };
  try {
    threads_.emplace_back(std::move(push));
  } catch (const std::system_error& error) {  // too many threads; nothing was begun
    return fail(ErrorCode::kIo,
                fmt::format("cannot read {}: no thread for it: {}", path.string(), error.what()));
  }
  return {};
}

}  // namespace xet::session
