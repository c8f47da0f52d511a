#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "net/curl_transport.h"
#include "net/transport_support.h"
#include "support/generators.h"
#include "support/temp_dir.h"

namespace xet::net {
namespace {

using test::environment_of;
using test::exchange;
using test::put;
using test::status_of;
using test::text_of;
using testing::HttpScript;
using testing::TempDir;
using Exchange = testing::HttpScript::Exchange;

// Tunnels, and answers requests with a whole URL itself.
class Proxy {
 public:
  explicit Proxy(bool tls = false) : server_([this](Exchange& e) { serve(e); }, {.tls = tls}) {}
  HttpScript& server() { return server_; }
  std::string url() const { return server_.url(""); }
  void demand_password() { demands_password_ = true; }

 private:
  void serve(Exchange& e) {
    const auto& request = e.request();
    if (demands_password_ && request.header("Proxy-Authorization") != "Basic dXNlcjpwQHNz") {  // user:p@ss
      return void(e.respond(407, {{"Proxy-Authenticate", "Basic realm=\"x\""}}));
    }
    if (request.method != "CONNECT") return void(e.respond(200, {}, "proxied " + request.target));
    const size_t colon = request.target.rfind(':');
    e.head(200, {});
    e.tunnel(static_cast<uint16_t>(std::stoi(request.target.substr(colon + 1))));
  }
  std::atomic<bool> demands_password_ = false;
  HttpScript server_;
};

// Takes one connection, does the handshake of RFC 1928, and then answers one request as if it were the host.
class SocksServer {
 public:
  SocksServer() {
    EXPECT_GE(listener_, 0);
    sockaddr_in address{
        .sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_, 1), 0);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~SocksServer() {
    ::shutdown(listener_, SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
    ::close(listener_);
  }
  SocksServer(const SocksServer&) = delete;
  SocksServer& operator=(const SocksServer&) = delete;

  /// With the "h" that leaves resolving to the proxy.
  std::string url() const { return fmt::format("socks5h://127.0.0.1:{}", port_); }
  std::string wait_for_name() {
    thread_.join();
    return name_;
  }

 private:
  static std::string read(int fd, size_t n) {
    std::string out(n, '\0');
    return ::recv(fd, out.data(), n, MSG_WAITALL) == static_cast<ssize_t>(n) ? out : std::string(n, '\0');
  }
  static void write(int fd, std::string_view bytes) { ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL); }

  void serve() {
    using std::string_view_literals::operator""sv;
    const int fd = ::accept(listener_, nullptr, nullptr);
    if (fd < 0) return;
    const auto byte = [&] { return static_cast<uint8_t>(read(fd, 1)[0]); };
    EXPECT_EQ(byte(), 5);
    read(fd, byte());         // the ways to prove who one is,
    write(fd, "\x05\x00"sv);  // of which none is taken
    EXPECT_EQ(read(fd, 4), "\x05\x01\x00\x03"sv) << "connect, to a name";
    name_ = read(fd, byte());
    const unsigned high = byte();
    name_ += fmt::format(":{}", high << 8 | byte());
    write(fd, "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"sv);
    for (std::string head; !head.ends_with("\r\n\r\n"); head += read(fd, 1)) {
      if (head.size() > 10'000) break;
    }
    write(fd, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nby SOCKS");
    ::close(fd);
  }

  const int listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  uint16_t port_ = 0;
  std::string name_;  // the thread's, until it has ended
  std::thread thread_;
};

TEST(TransportProxy, HttpGoesWithItsWholeUrlAndTheEnvironmentIsTheGivenOne) {
  Proxy proxy;
  const auto transport = CurlTransport::make({.environment = environment_of({{"HTTP_PROXY", proxy.url()}})});
  EXPECT_EQ(text_of(exchange(*transport, {.url = "http://storage.example/x?y"})),
            "proxied http://storage.example/x?y");
  EXPECT_EQ(proxy.server().last_request().header("Host"), "storage.example");
}

TEST(TransportProxy, AMissingSchemeMeansHttp) {
  Proxy proxy;
  const auto transport =
      CurlTransport::make({.environment = environment_of({{"all_proxy", proxy.server().authority()}})});
  EXPECT_EQ(text_of(exchange(*transport, {.url = "http://a.example/"})), "proxied http://a.example/");
}

TEST(TransportProxy, HttpsGoesThroughATunnelThatSeesNoHeaders) {
  Proxy proxy;
  const TempDir directory;
  HttpScript server(
      [](Exchange& e) {
        const auto n = e.body().size();
        e.respond(200, {}, std::to_string(n));
      },
      {.tls = true});
  testing::write_bytes(directory / "ca.pem", as_byte_span(server.certificate_pem()));
  const auto transport =
      CurlTransport::make({.environment = environment_of(
                               {{"HTTPS_PROXY", proxy.url()}, {"SSL_CERT_FILE", directory / "ca.pem"}})});
  const ByteVector body = testing::random_bytes(1'000'000, 1);
  Request request = put(server.url(), body);
  request.headers = {{"Authorization", "Bearer secret"}};
  for (int i = 0; i < 3; ++i) EXPECT_EQ(text_of(exchange(*transport, put(server.url(), body))), "1000000");
  EXPECT_EQ(text_of(exchange(*transport, std::move(request))), "1000000");
  EXPECT_EQ(server.last_request().header("Authorization"), "Bearer secret");
  ASSERT_EQ(proxy.server().n_requests(), 1) << "the tunnel is used again";
  const auto tunnel = proxy.server().last_request();
  EXPECT_EQ(tunnel.method, "CONNECT");
  EXPECT_EQ(tunnel.target, server.authority());
  EXPECT_FALSE(tunnel.has_header("Authorization"));
  EXPECT_FALSE(server.last_request().has_header("Proxy-Authorization"));
}

TEST(TransportProxy, ItMaySpeakTlsItself) {
  Proxy proxy(true);
  const TempDir directory;
  testing::write_bytes(directory / "ca.pem", as_byte_span(proxy.server().certificate_pem()));
  const auto transport = CurlTransport::make(
      {.environment = environment_of({{"ALL_PROXY", proxy.url()}, {"SSL_CERT_FILE", directory / "ca.pem"}})});
  EXPECT_EQ(text_of(exchange(*transport, {.url = "http://a.example/"})), "proxied http://a.example/");
  const auto distrusting = CurlTransport::make({.environment = environment_of({{"ALL_PROXY", proxy.url()}})});
  EXPECT_EQ(test::error_of(exchange(*distrusting, {.url = "http://a.example/"})).fault, Fault::kCertificate);
}

TEST(TransportProxy, Socks5GetsTheNameUnresolved) {
  SocksServer proxy;
  const auto transport = CurlTransport::make({.environment = environment_of({{"ALL_PROXY", proxy.url()}})});
  EXPECT_EQ(text_of(exchange(*transport, {.url = "http://storage.example:81/"})), "by SOCKS");
  EXPECT_EQ(proxy.wait_for_name(), "storage.example:81");
}

TEST(TransportProxy, CredentialsOfItsUrlAreSentAndNeverShown) {
  Proxy proxy;
  proxy.demand_password();
  const auto through = [&](const std::string& user) {
    const std::string url = "http://" + user + proxy.server().authority();
    return CurlTransport::make({.environment = environment_of({{"ALL_PROXY", url}})});
  };
  EXPECT_EQ(text_of(exchange(*through("user:p%40ss@"), {.url = "http://a.example/"})),
            "proxied http://a.example/");
  EXPECT_EQ(status_of(exchange(*through("user:wrong@"), {.url = "http://a.example/"})), 407);
  const auto outcome = exchange(*through("user:wrong@"), {.url = "https://a.example/"});
  EXPECT_EQ(test::error_of(outcome).fault, Fault::kConnect);
  const std::string message = test::error_of(outcome).error.message;
  EXPECT_NE(message.find("407"), std::string::npos) << message;
  EXPECT_EQ(message.find("wrong"), std::string::npos) << message;
}

TEST(TransportProxy, OneThatIsNotThereIsNoConnection) {
  uint16_t port = 0;
  {
    port = HttpScript([](Exchange&) {}).port();
  }
  const auto transport = CurlTransport::make(
      {.environment = environment_of({{"ALL_PROXY", "http://u:secret@127.0.0.1:" + std::to_string(port)}})});
  const auto outcome = exchange(*transport, {.url = "http://a.example/"});
  EXPECT_EQ(test::error_of(outcome).fault, Fault::kConnect);
  EXPECT_EQ(test::error_of(outcome).error.message.find("secret"), std::string::npos);
}

TEST(TransportProxy, HostsOfNoProxyAreAskedDirectly) {
  Proxy proxy;
  HttpScript server([](Exchange& e) { e.respond(200, {}, "direct"); });
  struct Row {
    std::string no_proxy;
    bool direct;
  };
  const std::vector<Row> rows = {
      {"", false},
      {"*", true},
      {"127.0.0.1", true},
      {"127.0.0.0/8", true},
      {"10.0.0.0/8", false},
      {"a, 127.0.0.1 ,b", true},
      {"a.example, *", true},
      {"7.0.0.1", false},
  };
  for (const auto& [no_proxy, direct] : rows) {
    const auto transport = CurlTransport::make(
        {.environment = environment_of({{"ALL_PROXY", proxy.url()}, {"NO_PROXY", no_proxy}})});
    const auto outcome = exchange(*transport, {.url = server.url("/x")});
    EXPECT_EQ(text_of(outcome), direct ? "direct" : "proxied " + server.url("/x")) << no_proxy;
  }
  // Names: itself and what is below it. localhost resolves without a name server.
  for (const auto& [no_proxy, direct] : std::vector<Row>{{"localhost", true},
                                                         {".localhost", true},
                                                         {"host", false},
                                                         {"x.localhost", false},
                                                         {"LOCALHOST", true}}) {
    const auto transport = CurlTransport::make(
        {.environment = environment_of({{"ALL_PROXY", proxy.url()}, {"NO_PROXY", no_proxy}})});
    const std::string url = "http://localhost:" + std::to_string(server.port()) + "/x";
    EXPECT_EQ(text_of(exchange(*transport, {.url = url})), direct ? "direct" : "proxied " + url) << no_proxy;
  }
}

}  // namespace
}  // namespace xet::net
