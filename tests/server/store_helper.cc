// A program of its own that writes to a store, for tests that kill writers or run several.
//
//   server_store_helper crash N DIR   stores the crash scenario and ends, as if killed, instead of the N-th
//   system call
//                                     that changes something on disk
//   server_store_helper torn N DIR    the same, but the call, if it writes, does half of its work first
//   server_store_helper eio N DIR     the N-th such call fails with EIO
//   server_store_helper enospc N DIR  the N-th such call and all later ones that need space fail with ENOSPC
//   server_store_helper keys N DIR    writes a token and an upload grant of the store's keys to DIR.keys-N
//   server_store_helper write SEED DIR
//                                     stores the shared xorbs in an order of its own, some of its own, and
//                                     files
//
// A file "acked-…" beside DIR tells what the store has acknowledged.

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

#include "base/clock.h"
#include "server/core/embedded_store.h"
#include "server/core/signed_url.h"
#include "server/core/tokens.h"
#include "server/crash_scenario.h"

namespace {

enum class Fault { kNone, kCrash, kTorn, kEio, kEnospc };

// Set before the store's threads start; the counter is all they share.
Fault g_fault = Fault::kNone;
int g_at = 0;
std::atomic<int> g_calls{0};

/// True when this call must fail; errno is set. Does not return when the process is to end here.
bool strikes(bool needs_space) {
  if (g_fault == Fault::kNone) return false;
  const int n = ++g_calls;
  if (g_fault == Fault::kEnospc) {
    if (n < g_at || !needs_space) return false;
    errno = ENOSPC;
    return true;
  }
  if (n != g_at) return false;
  if (g_fault == Fault::kEio) {
    errno = EIO;
    return true;
  }
  if (g_fault == Fault::kCrash || !needs_space) ::_exit(xet::testing::kHelperCrashed);
  return true;  // kTorn: the caller does half and ends
}

}  // namespace

// These stand in front of the C library's, for our code and for SQLite's.
#define XET_INTERPOSED extern "C" __attribute__((visibility("default")))

XET_INTERPOSED ssize_t pwrite64(int fd, const void* data, size_t n, off_t offset) {
  if (strikes(true)) {
    if (g_fault != Fault::kTorn) return -1;
    ::syscall(SYS_pwrite64, fd, data, n / 2, offset);
    ::_exit(xet::testing::kHelperCrashed);
  }
  return ::syscall(SYS_pwrite64, fd, data, n, offset);
}
XET_INTERPOSED ssize_t pwrite(int fd, const void* data, size_t n, off_t offset) {
  return pwrite64(fd, data, n, offset);
}
XET_INTERPOSED ssize_t write(int fd, const void* data, size_t n) {
  if (fd <= 2) return ::syscall(SYS_write, fd, data, n);
  if (strikes(true)) {
    if (g_fault != Fault::kTorn) return -1;
    ::syscall(SYS_write, fd, data, n / 2);
    ::_exit(xet::testing::kHelperCrashed);
  }
  return ::syscall(SYS_write, fd, data, n);
}
XET_INTERPOSED ssize_t pwritev(int fd, const struct iovec* pieces, int n, off_t offset) {
  if (strikes(true)) {
    if (g_fault != Fault::kTorn) return -1;
    ::syscall(SYS_pwritev, fd, pieces, (n + 1) / 2, offset, 0);
    ::_exit(xet::testing::kHelperCrashed);
  }
  return ::syscall(SYS_pwritev, fd, pieces, n, offset, 0);
}
XET_INTERPOSED int fsync(int /*fd*/) {
  if (strikes(false)) return -1;
  return 0;  // killing a process loses nothing that it wrote: the tests need not wait for the disk
}
XET_INTERPOSED int fdatasync(int fd) {
  return fsync(fd);
}
XET_INTERPOSED int ftruncate64(int fd, off_t size) noexcept {
  if (strikes(false)) return -1;
  return static_cast<int>(::syscall(SYS_ftruncate, fd, size));
}
XET_INTERPOSED int ftruncate(int fd, off_t size) noexcept {
  return ftruncate64(fd, size);
}
XET_INTERPOSED int link(const char* from, const char* to) noexcept {
  if (strikes(false)) return -1;
  return static_cast<int>(::syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0));
}
XET_INTERPOSED int renameat2(int from_dir, const char* from, int to_dir, const char* to,
                             unsigned flags) noexcept {
  if (strikes(false)) return -1;
  return static_cast<int>(::syscall(SYS_renameat2, from_dir, from, to_dir, to, flags));
}
XET_INTERPOSED int unlink(const char* path) noexcept {
  if (strikes(false)) return -1;
  return static_cast<int>(::syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}
XET_INTERPOSED int mkdir(const char* path, mode_t mode) noexcept {
  if (strikes(true)) {
    if (g_fault == Fault::kTorn) ::_exit(xet::testing::kHelperCrashed);
    return -1;
  }
  return static_cast<int>(::syscall(SYS_mkdirat, AT_FDCWD, path, mode));
}

namespace xet::testing {
namespace {

void acknowledge(const std::string& directory, const char* what) {
  const int fd = static_cast<int>(
      ::syscall(SYS_openat, AT_FDCWD, (directory + ".acked-" + what).c_str(), O_CREAT | O_WRONLY, 0600));
  ::syscall(SYS_close, fd);
}

/// Whether a step succeeded. A fault must show as what it is, nothing else.
template <class T>
bool check(const Result<T>& result, const char* step) {
  if (result) return true;
  std::fprintf(stderr, "%s: %s\n", step, result.error().message.c_str());
  const auto expected = g_fault == Fault::kEnospc ? ErrorCode::kNoSpace : ErrorCode::kIo;
  if (result.error().code != expected) ::_exit(kHelperWrongError);
  return false;
}

void store_scenario(const std::string& directory) {
  const CrashScenario scenario;
  const auto cas = server::open_local_cas(directory);
  if (!check(cas, "open")) return;
  Store store(**cas);
  bool all = true;
  const auto step = [&](const auto& result, const char* name) {
    const bool done = check(result, name);
    if (done) acknowledge(directory, name);
    all = all && done;
  };
  step(store.put_xorb(scenario.a), "a");
  step(store.put_xorb(scenario.b), "b");
  if (all) step(store.put_shard(scenario.shard), "shard");
}

int write_mine(uint64_t seed, const std::string& directory) {
  const auto cas = server::open_local_cas(directory);
  if (!cas) {
    std::fprintf(stderr, "open: %s\n", cas.error().message.c_str());
    return 1;
  }
  Store store(**cas);
  auto xorbs = shared_xorbs();
  SplitMix64 random(seed);
  for (size_t i = xorbs.size(); i > 1; --i) std::swap(xorbs[i - 1], xorbs[random.below(i)]);
  for (int round = 0; round < 3; ++round) {
    for (const auto& xorb : xorbs) {
      const auto own = make_xorb(2, random.next());
      const auto file = make_file({{&own, 0, 2}, {&xorb, 0, 3}});
      const auto shared_file = make_file({{&xorb, 1, 3}});
      if (!store.put_xorb(xorb) || !store.put_xorb(own)) return 1;
      const auto put = store.put_shard(make_shard({file, shared_file}, {&xorb, &own}));
      if (!put || !store.read(file.hash) || !store.read(shared_file.hash)) return 1;
    }
  }
  return 0;
}

int write_keys(long number, const std::string& directory) {
  const auto opened = core::open_embedded_store(directory);
  if (!opened) return 1;
  const auto tokens = core::TokenAuthority::open(opened->service->meta(), system_clock());
  const auto urls = core::UrlSigner::open(opened->service->meta(), system_clock());
  if (!tokens || !urls) return 1;
  const auto token = (*tokens)->issue({.expires_at_s = UINT64_MAX});
  if (!token) return 1;
  std::ofstream out(directory + ".keys-" + std::to_string(number));
  out << *token << '\n' << (*urls)->grant_id({.expires_at_s = UINT64_MAX}) << '\n';
  return out.flush() ? 0 : 1;
}

}  // namespace
}  // namespace xet::testing

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const std::string mode = argv[1];
  const long number = std::strtol(argv[2], nullptr, 10);
  if (mode == "write") return xet::testing::write_mine(static_cast<uint64_t>(number), argv[3]);
  if (mode == "keys") return xet::testing::write_keys(number, argv[3]);
  g_at = static_cast<int>(number);
  g_fault = mode == "crash"    ? Fault::kCrash
            : mode == "torn"   ? Fault::kTorn
            : mode == "eio"    ? Fault::kEio
            : mode == "enospc" ? Fault::kEnospc
                               : Fault::kNone;
  if (g_fault == Fault::kNone) return 2;
  xet::testing::store_scenario(argv[3]);
  // The fault lay beyond the last call: the test has seen them all.
  const bool reached = g_calls >= g_at;
  g_fault = Fault::kNone;
  return reached ? 0 : 3;
}
