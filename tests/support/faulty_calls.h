#pragma once

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <functional>

#include "io/file.h"

namespace xet::testing {

/// System calls with faults put in by a test: each hook decides before the real call is made, with a negative
/// errno for a failure, or how many bytes the call may move at most. Set the hooks before threads use it.
class FaultyCalls final : public io::SystemCalls {
 public:
  static constexpr ssize_t kAll = SSIZE_MAX;

  std::function<ssize_t(int fd, size_t n, off_t offset)> on_pread;
  std::function<ssize_t(int fd, size_t n)> on_read;
  std::function<ssize_t(int fd, size_t n, off_t offset)> on_pwritev;
  std::function<int(int fd)> on_fsync;      ///< 0, or an errno
  std::function<int(int fd)> on_fallocate;  ///< 0, or an errno

  std::atomic<size_t> n_preads{0};
  std::atomic<size_t> n_pwritevs{0};
  std::atomic<size_t> n_fsyncs{0};

  ssize_t pread(int fd, void* buffer, size_t n, off_t offset) override {
    ++n_preads;
    const ssize_t most = on_pread ? on_pread(fd, n, offset) : kAll;
    if (most < 0) return failed(most);
    return ::pread(fd, buffer, std::min(n, static_cast<size_t>(most)), offset);
  }
  ssize_t read(int fd, void* buffer, size_t n) override {
    const ssize_t most = on_read ? on_read(fd, n) : kAll;
    if (most < 0) return failed(most);
    return ::read(fd, buffer, std::min(n, static_cast<size_t>(most)));
  }
  ssize_t pwritev(int fd, const ::iovec* pieces, int n_pieces, off_t offset) override {
    ++n_pwritevs;
    size_t total = 0;
    for (int i = 0; i < n_pieces; ++i) total += pieces[i].iov_len;
    const ssize_t most = on_pwritev ? on_pwritev(fd, total, offset) : kAll;
    if (most < 0) return failed(most);
    if (static_cast<size_t>(most) >= total) return ::pwritev(fd, pieces, n_pieces, offset);
    // a short write: as much of the first piece that is not empty as allowed
    while (pieces->iov_len == 0) ++pieces;
    return ::pwrite(fd, pieces->iov_base, std::min(pieces->iov_len, static_cast<size_t>(most)), offset);
  }
  int fsync(int fd) override {
    ++n_fsyncs;
    return outcome(on_fsync ? on_fsync(fd) : 0, [&] { return ::fsync(fd); });
  }
  int fallocate(int fd, off_t size_bytes) override {
    return outcome(on_fallocate ? on_fallocate(fd) : 0,
                   [&] { return SystemCalls::fallocate(fd, size_bytes); });
  }

 private:
  static ssize_t failed(ssize_t negative_errno) {
    errno = static_cast<int>(-negative_errno);
    return -1;
  }
  template <class Call>
  static int outcome(int error_number, Call call) {
    if (error_number == 0) return call();
    errno = error_number;
    return -1;
  }
};

}  // namespace xet::testing
