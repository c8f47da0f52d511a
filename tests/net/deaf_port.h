#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <vector>

namespace xet::net::test {

/// A port of the loopback interface on which connecting takes for ever: its queue is full and nobody accepts.
class DeafPort {
 public:
  /// `family`: AF_INET or AF_INET6; port 0: any that is free.
  explicit DeafPort(int family, uint16_t port = 0) {
    listener_ = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener_ < 0) return;
    sockaddr_storage address{};
    socklen_t size = 0;
    if (family == AF_INET6) {
      auto* v6 = reinterpret_cast<sockaddr_in6*>(&address);
      *v6 = {.sin6_family = AF_INET6,
             .sin6_port = htons(port),
             .sin6_flowinfo = 0,
             .sin6_addr = in6addr_loopback,
             .sin6_scope_id = 0};
      size = sizeof *v6;
      const int yes = 1;
      ::setsockopt(listener_, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
    } else {
      auto* v4 = reinterpret_cast<sockaddr_in*>(&address);
      *v4 = {.sin_family = AF_INET,
             .sin_port = htons(port),
             .sin_addr = {htonl(INADDR_LOOPBACK)},
             .sin_zero = {}};
      size = sizeof *v4;
    }
    auto* at = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, at, size) != 0 || ::listen(listener_, 0) != 0) return;
    if (::getsockname(listener_, at, &size) != 0) return;
    port_ = ntohs(family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(at)->sin6_port
                                     : reinterpret_cast<sockaddr_in*>(at)->sin_port);
    for (int i = 0; i < 64 && !is_deaf_; ++i) {
      const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
      callers_.push_back(fd);
      const int result = ::connect(fd, at, size);
      EXPECT_TRUE(result == 0 || errno == EINPROGRESS) << errno;
      pollfd connected{fd, POLLOUT, 0};
      is_deaf_ = ::poll(&connected, 1, 200) == 0;
    }
  }
  ~DeafPort() {
    for (const int fd : callers_) ::close(fd);
    if (listener_ >= 0) ::close(listener_);
  }
  DeafPort(const DeafPort&) = delete;
  DeafPort& operator=(const DeafPort&) = delete;

  /// False where the machine does not have that family, or the port is taken.
  bool is_deaf() const { return is_deaf_; }
  uint16_t port() const { return port_; }

 private:
  int listener_ = -1;
  uint16_t port_ = 0;
  std::vector<int> callers_;
  bool is_deaf_ = false;
};

}  // namespace xet::net::test
