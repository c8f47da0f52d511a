#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <tuple>
#include <vector>

#include "net/curl_transport.h"
#include "net/transport_support.h"

namespace xet::net {
namespace {

using test::exchange;
using test::text_of;
using testing::HttpScript;
using Exchange = testing::HttpScript::Exchange;

// Every name under .localhost is ::1 and 127.0.0.1, without a name server (RFC 6761); libcurl knows that.
std::string url_with_two_addresses(uint16_t port) {
  return fmt::format("http://two.localhost:{}/", port);
}

// A port of ::1 on which connecting takes for ever: its queue is full and nobody accepts.
class DeafPort {
 public:
  explicit DeafPort(uint16_t port) {
    const sockaddr_in6 address = at(port);
    listener_ = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener_ < 0) return;
    const int yes = 1;
    ::setsockopt(listener_, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
    if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return;
    if (::listen(listener_, 0) != 0) return;
    for (int i = 0; i < 64 && !is_deaf_; ++i) {
      const int fd = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
      callers_.push_back(fd);
      // Under way, or done while there is room.
      std::ignore = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
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
  bool is_deaf() const { return is_deaf_; }

 private:
  static sockaddr_in6 at(uint16_t port) {
    sockaddr_in6 out{};
    out.sin6_family = AF_INET6;
    out.sin6_port = htons(port);
    out.sin6_addr = in6addr_loopback;
    return out;
  }
  int listener_ = -1;
  std::vector<int> callers_;
  bool is_deaf_ = false;
};

TEST(TransportAddresses, OneThatRefusesIsNotTheLast) {
  HttpScript server([](Exchange& e) { e.respond(200, {}, "here"); });  // on 127.0.0.1 alone
  const auto transport = CurlTransport::make({});
  EXPECT_EQ(text_of(exchange(*transport, {.url = url_with_two_addresses(server.port())})), "here");
}

TEST(TransportAddresses, OneThatIsSilentDoesNotHoldTheOtherUp) {
  HttpScript server([](Exchange& e) { e.respond(200, {}, "here"); });
  const DeafPort deaf(server.port());
  if (!deaf.is_deaf()) GTEST_SKIP() << "this machine has no IPv6 on its loopback interface";
  const auto transport = CurlTransport::make({});
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(text_of(exchange(*transport, {.url = url_with_two_addresses(server.port())})), "here");
  // The second address is tried after 0.3 s; the limit for connecting is a minute.
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(10));
}

}  // namespace
}  // namespace xet::net
