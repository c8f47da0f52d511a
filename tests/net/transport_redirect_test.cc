#include <fmt/format.h>
#include <gtest/gtest.h>

#include "net/curl_transport.h"
#include "net/transport_support.h"
#include "support/generators.h"

namespace xet::net {
namespace {

using test::exchange;
using test::put;
using test::ScriptedSink;
using test::status_of;
using test::text_of;
using testing::HttpScript;
using Exchange = testing::HttpScript::Exchange;

TEST(TransportRedirect, KeepsMethodAndBodyOrMakesItAGet) {
  // The target says the status; what is at the end tells what came.
  HttpScript server([](Exchange& e) {
    if (e.request().target == "/end") {
      const ByteVector body = e.body();
      e.respond(200, {{"X-Type", e.request().header("Content-Type")}},
                e.request().method + " " + std::to_string(body.size()));
      return;
    }
    e.body();
    e.respond(std::stoi(e.request().target.substr(1)), {{"Location", "/end"}}, "moved");
  });
  const auto transport = CurlTransport::make({});
  struct Row {
    std::string method;
    int status;
    std::string end;
  };
  const std::vector<Row> rows = {
      {"GET", 301, "GET 0"},         {"GET", 302, "GET 0"},       {"GET", 303, "GET 0"},
      {"GET", 307, "GET 0"},         {"GET", 308, "GET 0"},       {"POST", 301, "GET 0"},
      {"POST", 302, "GET 0"},        {"POST", 303, "GET 0"},      {"POST", 307, "POST 3000000"},
      {"POST", 308, "POST 3000000"}, {"PUT", 301, "PUT 3000000"}, {"PUT", 302, "PUT 3000000"},
      {"PUT", 303, "GET 0"},         {"PUT", 307, "PUT 3000000"}, {"PUT", 308, "PUT 3000000"},
  };
  const ByteVector body = testing::random_bytes(3'000'000, 1);
  for (const auto& [method, status, end] : rows) {
    Request request{.method = method,
                    .url = server.url(fmt::format("/{}", status)),
                    .headers = {{"Content-Type", "x/y"}}};
    if (method != "GET") {
      request.body = {ByteSpan(body).first(1'000'000), ByteSpan(body).subspan(1'000'000)};
      request.has_body = true;
    }
    const auto outcome = exchange(*transport, std::move(request));
    EXPECT_EQ(text_of(outcome), end) << method << status;
    if (outcome && method != "GET") {
      EXPECT_EQ(find_header(outcome->head.headers, "X-Type"), end == "GET 0" ? "" : "x/y");
    }
  }
  EXPECT_EQ(server.n_connections(), 1);
}

TEST(TransportRedirect, TenHopsAreFollowedAndElevenAreNot) {
  HttpScript server([](Exchange& e) {
    const int left = std::stoi(e.request().target.substr(1));
    if (left == 0) return void(e.respond(200, {}, "there"));
    e.respond(302, {{"Location", std::to_string(left - 1) + "?secret"}});
  });
  const auto transport = CurlTransport::make({});
  EXPECT_EQ(text_of(exchange(*transport, {.url = server.url("/10")})), "there");
  const auto outcome = exchange(*transport, {.url = server.url("/11")});
  const auto error = test::error_of(outcome);
  EXPECT_EQ(error.fault, Fault::kRedirects);
  EXPECT_EQ(error.error.code, ErrorCode::kUnavailable);
  EXPECT_EQ(error.error.message.find("secret"), std::string::npos) << error.error.message;
}

TEST(TransportRedirect, WithoutAUsableLocationItIsTheAnswer) {
  HttpScript server([](Exchange& e) {
    if (e.request().target == "/304") return void(e.respond(304, {{"Location", "/x"}}));
    e.respond(302, e.request().target == "/empty" ? Headers{{"Location", ""}} : Headers{}, "where?");
  });
  const auto transport = CurlTransport::make({});
  EXPECT_EQ(status_of(exchange(*transport, {.url = server.url("/none")})), 302);
  EXPECT_EQ(text_of(exchange(*transport, {.url = server.url("/empty")})), "where?");
  EXPECT_EQ(status_of(exchange(*transport, {.url = server.url("/304")})), 304);
}

TEST(TransportRedirect, CredentialsStayWithTheirHost) {
  HttpScript other([](Exchange& e) { e.respond(200, {}, "other"); });
  HttpScript server([&](Exchange& e) {
    if (e.request().target == "/away") return void(e.respond(307, {{"Location", other.url("/x")}}));
    if (e.request().target == "/here") return void(e.respond(307, {{"Location", "there"}}));
    e.respond(200, {}, "same");
  });
  const auto transport = CurlTransport::make({.headers = {{"cookie", "c"}, {"X-Standing", "s"}}});
  const Headers headers = {{"authorization", "Bearer secret"}, {"X-Custom", "1"}};
  EXPECT_EQ(text_of(exchange(*transport, {.url = server.url("/here"), .headers = headers})), "same");
  EXPECT_EQ(server.last_request().header("Authorization"), "Bearer secret");
  EXPECT_EQ(server.last_request().header("Cookie"), "c");
  EXPECT_EQ(text_of(exchange(*transport, {.url = server.url("/away"), .headers = headers})), "other");
  const auto last = other.last_request();
  EXPECT_FALSE(last.has_header("Authorization"));
  EXPECT_FALSE(last.has_header("Cookie"));
  EXPECT_FALSE(last.has_header("Referer"));
  EXPECT_EQ(last.header("X-Custom"), "1");
  EXPECT_EQ(last.header("X-Standing"), "s");
}

TEST(TransportRedirect, DoNotComeBackOnceTheyWereDropped) {
  std::string away;
  HttpScript server([&](Exchange& e) {
    if (e.request().target == "/start") return void(e.respond(302, {{"Location", away}}));
    e.respond(200, {}, e.request().header("Authorization"));
  });
  HttpScript other([&](Exchange& e) { e.respond(302, {{"Location", server.url("/end")}}); });
  away = other.url("/bounce");
  const auto transport = CurlTransport::make({});
  EXPECT_EQ(
      text_of(exchange(*transport, {.url = server.url("/start"), .headers = {{"Authorization", "secret"}}})),
      "");
  EXPECT_EQ(server.last_request().target, "/end");
}

TEST(TransportRedirect, LocationsAreResolved) {
  HttpScript server([](Exchange& e) {
    if (e.request().path() == "/a/b/c") {
      const std::string query = e.request().target.substr(e.request().path().size() + 1);
      return void(e.respond(302, {{"Location", query}}));
    }
    e.respond(200, {}, e.request().target);
  });
  const auto transport = CurlTransport::make({});
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"d?x=1", "/a/b/d?x=1"},
      {"/d", "/d"},
      {"../d", "/a/d"},
      {"./d%2f#frag", "/a/b/d%2f"},
      {"?y", "/a/b/c?y"},
      {"//" + server.authority() + "/d", "/d"},
      {server.url("/x/../y%20?s=%2B"), "/x/../y%20?s=%2B"},
  };
  for (const auto& [location, target] : rows) {
    if (location == "?y") continue;  // leads to itself here
    EXPECT_EQ(text_of(exchange(*transport, {.url = server.url("/a/b/c?" + location)})), target) << location;
  }
}

TEST(TransportRedirect, OtherSchemesAreRefused) {
  HttpScript server([](Exchange& e) { e.respond(302, {{"Location", e.request().target.substr(1)}}); });
  const auto transport = CurlTransport::make({});
  for (const std::string location :
       {"ftp://127.0.0.1/secret", "file:///etc/passwd", "gopher://127.0.0.1:1/", "http://"}) {
    const auto outcome = exchange(*transport, {.url = server.url("/" + location)});
    EXPECT_EQ(test::error_of(outcome).fault, Fault::kRedirects) << location;
  }
}

TEST(TransportRedirect, OnlyTheLastAnswerReachesTheSink) {
  HttpScript server([](Exchange& e) {
    if (e.request().target == "/start")
      return void(e.respond(307, {{"Location", "/end"}}, std::string(100'000, 'm')));
    e.respond(200, {}, "the end");
  });
  const auto transport = CurlTransport::make({});
  const auto sink = std::make_shared<ScriptedSink>();
  const auto outcome = exchange(*transport, {.url = server.url("/start"), .sink = sink});
  EXPECT_EQ(status_of(outcome), 200) << text_of(outcome);
  EXPECT_EQ(sink->begun(), 1);
  EXPECT_EQ(as_chars(sink->received()), "the end");
}

TEST(TransportRedirect, AnEarlyRedirectDoesNotWaitForTheBody) {
  HttpScript other([](Exchange& e) {
    const auto n = e.body().size();
    e.respond(200, {}, std::to_string(n));
  });
  HttpScript server([&](Exchange& e) {
    e.respond(307, {{"Location", other.url()}});
    e.close_gently();
  });
  const auto transport = CurlTransport::make({});
  const ByteVector body(size_t{16} << 20);
  EXPECT_EQ(text_of(exchange(*transport, put(server.url(), body))), std::to_string(body.size()));
}

}  // namespace
}  // namespace xet::net
