#include "apps/xet/fd_io.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace xet::cli {

namespace {

/// Waits until `fd` is ready for `events` or has failed. False when `wake_fd` (-1: none) became readable
/// first.
bool wait_ready(int fd, short events, int wake_fd) {
  ::pollfd polled[2] = {{.fd = fd, .events = events, .revents = 0},
                        {.fd = wake_fd, .events = POLLIN, .revents = 0}};
  while (::poll(polled, 2, -1) < 0) {
    if (errno != EINTR && errno != EAGAIN) return true;  // let the read or write itself say what is wrong
  }
  return polled[1].revents == 0;
}

}  // namespace

int write_fully(int fd, ByteSpan bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n >= 0) {
      bytes = bytes.subspan(static_cast<size_t>(n));
    } else if (errno == EAGAIN) {
      wait_ready(fd, POLLOUT, -1);
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

int write_fully_or_stop(int fd, ByteSpan bytes, int wake_fd) {
  while (!bytes.empty()) {
    if (!wait_ready(fd, POLLOUT, wake_fd)) return ECANCELED;
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n >= 0) {
      bytes = bytes.subspan(static_cast<size_t>(n));
    } else if (errno != EAGAIN && errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

Result<size_t> read_or_stop(int fd, MutableByteSpan into, int wake_fd, std::string_view name) {
  while (true) {
    if (!wait_ready(fd, POLLIN, wake_fd)) {
      return fail(ErrorCode::kCancelled, fmt::format("interrupted while reading {}", name));
    }
    const ssize_t n = ::read(fd, into.data(), into.size());
    if (n >= 0) return static_cast<size_t>(n);
    if (errno != EAGAIN && errno != EINTR) {
      return fail(ErrorCode::kIo, fmt::format("cannot read {}: {}", name, std::strerror(errno)));
    }
  }
}

}  // namespace xet::cli
