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
using test::ScriptedSink;
using test::status_of;
using testing::HttpScript;
using testing::random_bytes;
using testing::TempDir;
using Exchange = testing::HttpScript::Exchange;

void echo(Exchange& e) {
  const ByteVector body = e.body();
  e.respond(200, {}, ByteSpan(body));
}

class TransportTls : public ::testing::Test {
 protected:
  std::unique_ptr<CurlTransport> trusting(const HttpScript& server,
                                          const std::string& variable = "SSL_CERT_FILE") {
    testing::write_bytes(directory_ / "ca.pem", as_byte_span(server.certificate_pem()));
    return CurlTransport::make({.environment = environment_of({{variable, directory_ / "ca.pem"}})});
  }
  TempDir directory_;
};

TEST_F(TransportTls, EachVariableMakesAnAuthorityTrusted) {
  HttpScript server(echo, {.tls = true});
  for (const auto* const variable : {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}) {
    const auto transport = trusting(server, variable);
    EXPECT_EQ(status_of(exchange(*transport, {.url = server.url()})), 200) << variable;
  }
}

TEST_F(TransportTls, ADirectoryOfAuthoritiesIsSearched) {
  HttpScript server(echo, {.tls = true});
  const auto transport =
      CurlTransport::make({.environment = environment_of({{"SSL_CERT_DIR", directory_.path()}})});
  EXPECT_EQ(test::error_of(exchange(*transport, {.url = server.url()})).fault, Fault::kCertificate);
  testing::write_bytes(directory_ / server.certificate_file_name(), as_byte_span(server.certificate_pem()));
  EXPECT_EQ(status_of(exchange(*transport, {.url = server.url()})), 200);
}

TEST_F(TransportTls, CarriesBodiesBothWaysOnOneConnection) {
  HttpScript server(echo, {.tls = true});
  const auto transport = trusting(server);
  const ByteVector body = random_bytes(3'000'000, 1);
  for (int i = 0; i < 5; ++i) {
    const auto sink = std::make_shared<ScriptedSink>();
    Request request = put(server.url(), body);
    request.sink = sink;
    EXPECT_EQ(status_of(exchange(*transport, std::move(request))), 200);
    EXPECT_EQ(sink->received(), body);
  }
  EXPECT_EQ(server.n_connections(), 1);
}

TEST_F(TransportTls, PausesAsWithoutTls) {
  const ByteVector body = random_bytes(1'000'000, 1);
  HttpScript server([&](Exchange& e) { e.respond(200, {}, ByteSpan(body)); }, {.tls = true});
  const auto transport = trusting(server);
  const auto sink = std::make_shared<ScriptedSink>(0);
  test::Pending pending(*transport, {.url = server.url(), .sink = sink});
  size_t granted = 0;
  for (size_t pause = 1; granted < body.size(); ++pause) {
    ASSERT_TRUE(sink->wait_for_pause(pause));
    const size_t n = std::min<size_t>(body.size() - granted, 30'011);
    granted += n;
    sink->grant(n);
  }
  EXPECT_EQ(status_of(pending.get()), 200);
  EXPECT_EQ(sink->received(), body);
}

TEST_F(TransportTls, AnUnknownAuthorityIsNamedWithWhatToDo) {
  HttpScript server(echo, {.tls = true});
  const auto transport = CurlTransport::make({});
  const auto outcome = exchange(*transport, {.url = server.url("/path?secret")});
  const auto error = test::error_of(outcome);
  EXPECT_EQ(error.fault, Fault::kCertificate);
  EXPECT_EQ(error.error.code, ErrorCode::kUnavailable);
  for (const auto* const part : {"libxet test authority", "SSL_CERT_FILE", "localhost", "self"}) {
    EXPECT_NE(error.error.message.find(part), std::string::npos) << part << " in " << error.error.message;
  }
  EXPECT_EQ(error.error.message.find("secret"), std::string::npos) << error.error.message;
  EXPECT_EQ(server.n_requests(), 0);
}

TEST_F(TransportTls, AnotherAuthorityInTheVariableIsSaid) {
  HttpScript server(echo, {.tls = true});
  HttpScript stranger(echo, {.tls = true});
  const auto transport = trusting(stranger, "REQUESTS_CA_BUNDLE");
  for (const std::string host : {"localhost", "127.0.0.1"}) {
    const auto outcome =
        exchange(*transport, {.url = "https://" + host + ":" + std::to_string(server.port())});
    const auto error = test::error_of(outcome);
    EXPECT_EQ(error.fault, Fault::kCertificate) << host;
    EXPECT_NE(error.error.message.find("REQUESTS_CA_BUNDLE"), std::string::npos) << error.error.message;
    EXPECT_NE(error.error.message.find("issuer"), std::string::npos) << error.error.message;
  }
}

TEST_F(TransportTls, ACertificateForAnotherNameIsRefused) {
  HttpScript server(echo, {.tls = true, .tls_names = {"other.example"}});
  const auto transport = trusting(server);
  const auto outcome = exchange(*transport, {.url = server.url()});
  EXPECT_EQ(test::error_of(outcome).fault, Fault::kCertificate);
  EXPECT_NE(test::error_of(outcome).error.message.find("localhost"), std::string::npos)
      << test::error_of(outcome).error.message;
}

TEST_F(TransportTls, AFileOfCertificatesThatIsNotThereIsNamed) {
  HttpScript server(echo, {.tls = true});
  const auto transport =
      CurlTransport::make({.environment = environment_of({{"SSL_CERT_FILE", "/nonexistent/ca.pem"}})});
  const auto outcome = exchange(*transport, {.url = server.url()});
  EXPECT_EQ(test::error_of(outcome).fault, Fault::kCertificate);
  EXPECT_NE(test::error_of(outcome).error.message.find("/nonexistent/ca.pem (SSL_CERT_FILE)"),
            std::string::npos)
      << test::error_of(outcome).error.message;
}

TEST_F(TransportTls, AHandshakeThatBreaksMayPass) {
  HttpScript plain([](Exchange& e) { e.respond(200); });
  HttpScript closing([](Exchange&) {}, {.on_connection = [](size_t) { return false; }});
  const auto transport = CurlTransport::make({});
  const auto outcome = exchange(*transport, {.url = "https://" + closing.authority()});
  const Fault fault = test::error_of(outcome).fault;
  EXPECT_TRUE(fault == Fault::kTls || fault == Fault::kConnect) << test::error_of(outcome).error.message;
}

TEST_F(TransportTls, TheEndOfTheConnectionInABodyIsNoEndOfTheBody) {
  HttpScript server(
      [](Exchange& e) {
        e.head(200, {{"Content-Length", "1000"}});
        e.raw("short");
        if (e.request().target == "/gently") return e.close_gently();
        e.close();
      },
      {.tls = true});
  const auto transport = trusting(server);
  for (const std::string target : {"/gently", "/abruptly"}) {
    const auto outcome = exchange(*transport, {.url = server.url(target)});
    EXPECT_EQ(test::error_of(outcome).fault, Fault::kBroken) << target;
  }
}

}  // namespace
}  // namespace xet::net
