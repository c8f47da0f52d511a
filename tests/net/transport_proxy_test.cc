#include <gtest/gtest.h>

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
  HttpScript server_{[this](Exchange& e) { serve(e); }};
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
