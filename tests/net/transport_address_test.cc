#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <chrono>

#include "net/curl_transport.h"
#include "net/deaf_port.h"
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

TEST(TransportAddresses, OneThatRefusesIsNotTheLast) {
  HttpScript server([](Exchange& e) { e.respond(200, {}, "here"); });  // on 127.0.0.1 alone
  const auto transport = CurlTransport::make({});
  EXPECT_EQ(text_of(exchange(*transport, {.url = url_with_two_addresses(server.port())})), "here");
}

TEST(TransportAddresses, OneThatIsSilentDoesNotHoldTheOtherUp) {
  HttpScript server([](Exchange& e) { e.respond(200, {}, "here"); });
  const test::DeafPort deaf(AF_INET6, server.port());
  if (!deaf.is_deaf()) GTEST_SKIP() << "this machine has no IPv6 on its loopback interface";
  const auto transport = CurlTransport::make({});
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(text_of(exchange(*transport, {.url = url_with_two_addresses(server.port())})), "here");
  // The second address is tried after 0.3 s; the limit for connecting is a minute.
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(10));
}

}  // namespace
}  // namespace xet::net
