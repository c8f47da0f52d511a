#include "apps/xet/signals.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string_view>

#include "apps/xet/exit_code.h"
#include "base/check.h"

namespace xet::cli {

namespace {

// What a signal handler may touch: lock-free atomics and a pipe. Written before the handler is installed.
std::atomic<int> g_signal_write_fd{-1};
std::atomic<int> g_signal_count{0};

constexpr char kSignal = 's';
constexpr char kQuit = 'q';

void write_byte(int fd, char byte) {
  while (::write(fd, &byte, 1) < 0 && errno == EINTR) {
  }
}

extern "C" void xet_on_signal(int) {
  const int saved_errno = errno;
  if (g_signal_count.fetch_add(1, std::memory_order_relaxed) > 0) ::_exit(exit_code::kInterrupted);
  write_byte(g_signal_write_fd.load(std::memory_order_relaxed), kSignal);
  errno = saved_errno;
}

void handle_unless_ignored(int signal_number) {
  struct sigaction old{};
  ::sigaction(signal_number, nullptr, &old);
  if (old.sa_handler == SIG_IGN) return;
  struct sigaction action{};
  action.sa_handler = xet_on_signal;
  action.sa_flags = SA_RESTART;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(signal_number, &action, nullptr);
}

void make_pipe(int& read_fd, int& write_fd) {
  int fds[2];
  XET_CHECK(::pipe(fds) == 0);  // fails only when the process starts without two free descriptors
  for (const int fd : fds) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  read_fd = fds[0];
  write_fd = fds[1];
}

}  // namespace

SignalWatcher::SignalWatcher(std::function<void()> on_first) : on_first_(std::move(on_first)) {
  int signal_write_fd = -1;
  make_pipe(signal_read_fd_, signal_write_fd);
  make_pipe(wake_read_fd_, wake_write_fd_);
  g_signal_write_fd.store(signal_write_fd, std::memory_order_relaxed);
  ::signal(SIGPIPE, SIG_IGN);
  handle_unless_ignored(SIGINT);
  handle_unless_ignored(SIGTERM);
  watcher_ = std::thread([this] { watch(); });
}

SignalWatcher::~SignalWatcher() {
  // The handlers stay installed, and their pipe open: a signal from here on still finds both.
  write_byte(g_signal_write_fd.load(std::memory_order_relaxed), kQuit);
  watcher_.join();
  if (requester_.joinable()) requester_.join();
  ::close(wake_read_fd_);
  ::close(wake_write_fd_);
}

void SignalWatcher::request_stop() {
  fire();
}

void SignalWatcher::fire() {
  if (stop_.request_stop()) write_byte(wake_write_fd_, kSignal);
}

void SignalWatcher::watch() {
  ::pollfd polled{.fd = signal_read_fd_, .events = POLLIN, .revents = 0};
  int timeout_ms = -1;
  while (true) {
    const int ready = ::poll(&polled, 1, timeout_ms);
    if (ready < 0) continue;
    if (ready == 0) {
      constexpr std::string_view kLate = "xet: interrupted\n";
      (void)!::write(STDERR_FILENO, kLate.data(), kLate.size());
      ::_exit(exit_code::kInterrupted);
    }
    char byte = 0;
    if (::read(signal_read_fd_, &byte, 1) != 1) continue;
    if (byte == kQuit) return;
    interrupted_ = true;
    timeout_ms = static_cast<int>(grace_ms_.load());
    requester_ = std::thread([this] { fire(); });
    on_first_();
  }
}

}  // namespace xet::cli
