// What goes over the wire when everything goes well.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <thread>

#include "net/curl_transport.h"
#include "net/transport_support.h"
#include "support/generators.h"
#include "support/temp_dir.h"

namespace xet::net {
namespace {

using test::exchange;
using test::Pending;
using test::put;
using test::ScriptedSink;
using test::status_of;
using test::text_of;
using testing::HttpScript;
using testing::random_bytes;
using Exchange = testing::HttpScript::Exchange;

TEST(Transport, GetsABodyAndTheHeadersAsSent) {
  HttpScript server(
      [](Exchange& e) { e.respond(200, {{"X-One", "a"}, {"x-one", "b"}, {"Empty", ""}}, "hello"); });
  const auto transport = CurlTransport::make({});
  const auto outcome = exchange(*transport, {.url = server.url("/a/../b%2f?q=1#fragment")});
  ASSERT_EQ(status_of(outcome), 200) << text_of(outcome);
  EXPECT_EQ(text_of(outcome), "hello");
  EXPECT_EQ(find_header(outcome->head.headers, "X-ONE"), "a");
  EXPECT_EQ(find_header(outcome->head.headers, "empty"), "");
  EXPECT_EQ(server.last_request().method, "GET");
  EXPECT_EQ(server.last_request().target, "/a/../b%2f?q=1");
}

TEST(Transport, SendsNoHeaderOfItsOwnButHostAndAccept) {
  HttpScript server([](Exchange& e) { e.respond(200); });
  const auto transport = CurlTransport::make({.headers = {{"User-Agent", "xet"}, {"X-Both", "standing"}}});
  const ByteVector body = random_bytes(3 << 20, 1);
  const auto names = [&] {
    std::vector<std::string> out;
    for (const auto& h : server.last_request().headers) out.push_back(h.name + ": " + h.value);
    std::ranges::sort(out);
    return out;
  };
  using Names = std::vector<std::string>;
  const std::string host = "Host: " + server.authority();

  EXPECT_EQ(status_of(exchange(*transport, {.url = server.url()})), 200);
  EXPECT_EQ(names(), Names({"Accept: */*", host, "User-Agent: xet", "X-Both: standing"}));

  Request large = put(server.url(), body);
  large.headers = {{"x-both", "own"}, {"X-Empty", ""}};
  EXPECT_EQ(status_of(exchange(*transport, std::move(large))), 200);
  EXPECT_EQ(names(), Names({"Accept: */*", "Content-Length: 3145728", host, "User-Agent: xet",
                            "X-Empty: ", "x-both: own"}));

  EXPECT_EQ(status_of(exchange(*transport, {.method = "POST", .url = server.url()})), 200);
  EXPECT_EQ(names(), Names({"Accept: */*", host, "User-Agent: xet", "X-Both: standing"}))
      << "a POST without body";
  EXPECT_EQ(server.last_request().method, "POST");

  EXPECT_EQ(status_of(exchange(*transport, {.method = "POST", .url = server.url(), .has_body = true})), 200);
  EXPECT_EQ(names(),
            Names({"Accept: */*", "Content-Length: 0", host, "User-Agent: xet", "X-Both: standing"}));

  Request json{.method = "POST", .url = server.url(), .body = {as_byte_span("{}")}, .has_body = true};
  json.headers = {{"Content-Type", "application/json"}, {"Content-Length", "2"}, {"Accept", "x/y"}};
  EXPECT_EQ(status_of(exchange(*transport, std::move(json))), 200);
  EXPECT_EQ(names(), Names({"Accept: x/y", "Content-Length: 2", "Content-Type: application/json", host,
                            "User-Agent: xet", "X-Both: standing"}));
}

TEST(Transport, UsesAConnectionAgain) {
  HttpScript server([](Exchange& e) {
    e.body();
    e.respond(e.request().nth % 2 == 0 ? 200 : 404, {}, "body");
  });
  const auto transport = CurlTransport::make({});
  const ByteVector body = random_bytes(100'000, 1);
  for (int i = 0; i < 10; ++i) {
    EXPECT_NE(status_of(exchange(*transport, {.url = server.url()})), 0);
    EXPECT_NE(status_of(exchange(*transport, put(server.url(), body))), 0);
    EXPECT_NE(status_of(exchange(*transport, {.method = "HEAD", .url = server.url()})), 0);
  }
  EXPECT_EQ(server.n_requests(), 30);
  EXPECT_EQ(server.n_connections(), 1);
}

TEST(Transport, KeepsTheConnectionsThatWereInUseAtOnce) {
  constexpr size_t kAtOnce = 12;
  testing::Gate all_there;
  std::atomic<size_t> there = 0;
  HttpScript server([&](Exchange& e) {
    if (++there % kAtOnce == 0) all_there.open();
    if (e.request().target == "/first") e.wait(all_there);
    e.respond(200);
  });
  const auto transport = CurlTransport::make({});
  std::vector<Pending> pending;
  for (size_t i = 0; i < kAtOnce; ++i) pending.emplace_back(*transport, Request{.url = server.url("/first")});
  for (auto& p : pending) EXPECT_EQ(status_of(p.get()), 200);
  EXPECT_EQ(server.most_at_once(), kAtOnce);
  for (int round = 0; round < 5; ++round) {
    pending.clear();
    for (size_t i = 0; i < kAtOnce; ++i)
      pending.emplace_back(*transport, Request{.url = server.url("/next")});
    for (auto& p : pending) EXPECT_EQ(status_of(p.get()), 200);
  }
  EXPECT_EQ(server.n_connections(), kAtOnce);
}

TEST(Transport, AStaleConnectionIsReplacedWithoutAnybodyNoticing) {
  HttpScript server([](Exchange& e) {
    e.body();
    e.respond(200);
    if (e.request().nth_on_connection == 0) e.close();
  });
  const auto transport = CurlTransport::make({});
  const ByteVector body = random_bytes(1 << 20, 1);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(status_of(exchange(*transport, put(server.url(), body))), 200);
  }
  EXPECT_EQ(server.body_bytes(), 20 * body.size());
}

TEST(Transport, StreamsBothWaysInPieces) {
  const ByteVector body = random_bytes(5'000'000, 1);
  HttpScript server([](Exchange& e) {
    const ByteVector got = e.body();
    e.respond(200, {}, ByteSpan(got));
  });
  const auto transport = CurlTransport::make({});
  Request request{.method = "POST", .url = server.url(), .has_body = true};
  ByteSpan rest = body;
  for (size_t n = 0; !rest.empty(); n = n * 3 + 1) {  // the first one is empty
    const size_t take = std::min(n, rest.size());
    request.body.push_back(rest.first(take));
    rest = rest.subspan(take);
  }
  const auto sink = std::make_shared<ScriptedSink>();
  request.sink = sink;
  std::vector<uint64_t> sent;
  request.on_sent = [&](uint64_t n) { sent.push_back(n); };
  const auto outcome = exchange(*transport, std::move(request));
  ASSERT_EQ(status_of(outcome), 200) << text_of(outcome);
  EXPECT_TRUE(outcome->body.empty());
  EXPECT_EQ(sink->begun(), 1);
  EXPECT_EQ(sink->status(), 200);
  EXPECT_EQ(sink->received(), body);
  ASSERT_FALSE(sent.empty());
  EXPECT_TRUE(std::ranges::is_sorted(sent));
  EXPECT_EQ(sent.back(), body.size());
}

TEST(Transport, ReadsChunkedBodiesAndThoseThatEndWithTheConnection) {
  HttpScript server([](Exchange& e) {
    if (e.request().target == "/chunked") {
      e.head(200, {{"Transfer-Encoding", "chunked"}});
      e.chunk("one ");
      e.chunk("two");
      e.raw("0\r\nX-Trailer: 1\r\n\r\n");
    } else {
      e.raw("HTTP/1.0 200 OK\r\n\r\nto the end");
      e.close_gently();
    }
  });
  const auto transport = CurlTransport::make({});
  const auto chunked = exchange(*transport, {.url = server.url("/chunked")});
  EXPECT_EQ(text_of(chunked), "one two");
  ASSERT_TRUE(chunked);
  EXPECT_FALSE(find_header(chunked->head.headers, "X-Trailer"));
  EXPECT_EQ(text_of(exchange(*transport, {.url = server.url("/to-the-end")})), "to the end");
}

TEST(Transport, InterimAnswersAreNoAnswers) {
  HttpScript server([](Exchange& e) {
    e.head(100, {});
    e.head(103, {{"Link", "x"}});
    e.respond(200, {{"X", "y"}}, "final");
  });
  const auto transport = CurlTransport::make({});
  const auto outcome = exchange(*transport, {.url = server.url()});
  EXPECT_EQ(text_of(outcome), "final");
  ASSERT_TRUE(outcome);
  EXPECT_FALSE(find_header(outcome->head.headers, "Link"));
}

TEST(Transport, AnswersWithoutBody) {
  HttpScript server([](Exchange& e) {
    if (e.request().method == "HEAD") {
      e.respond(200, {{"Content-Length", "123456789012"}});
    } else {
      e.respond(e.request().target == "/204" ? 204 : 200);
    }
  });
  const auto transport = CurlTransport::make({});
  const auto head = exchange(*transport, {.method = "HEAD", .url = server.url()});
  ASSERT_EQ(status_of(head), 200) << text_of(head);
  EXPECT_EQ(find_header(head->head.headers, "content-length"), "123456789012");
  const auto sink = std::make_shared<ScriptedSink>();
  EXPECT_EQ(status_of(exchange(*transport, {.url = server.url("/204"), .sink = sink})), 204);
  EXPECT_EQ(sink->begun(), 1);
  EXPECT_EQ(status_of(exchange(*transport, {.url = server.url("/empty"), .sink = sink})), 200);
  EXPECT_EQ(sink->begun(), 2);
  EXPECT_TRUE(sink->received().empty());
}

TEST(Transport, OfOtherAnswersTheBeginningIsKept) {
  const std::string page(10'000, 'x');
  HttpScript server([&](Exchange& e) {
    if (e.request().target == "/endless") {
      e.head(500, {{"Transfer-Encoding", "chunked"}});
      while (e.chunk(page)) {
      }
    } else {
      e.respond(404, {}, page);
    }
  });
  const auto transport = CurlTransport::make({});
  const auto sink = std::make_shared<ScriptedSink>();
  const auto outcome = exchange(*transport, {.url = server.url(), .sink = sink, .max_body_bytes = 1});
  EXPECT_EQ(status_of(outcome), 404) << text_of(outcome);
  EXPECT_EQ(text_of(outcome), page.substr(0, 4096));
  EXPECT_EQ(sink->begun(), 0);
  EXPECT_EQ(status_of(exchange(*transport, {.url = server.url()})), 404);
  EXPECT_EQ(server.n_connections(), 1) << "the rest was read";
  EXPECT_EQ(status_of(exchange(*transport, {.url = server.url("/endless")})), 500);
}

TEST(Transport, ManyRequestsFromManyThreads) {
  HttpScript server([](Exchange& e) { e.respond(200, {}, e.request().target + std::string(5000, 'x')); });
  const auto transport = CurlTransport::make({});
  constexpr int kThreads = 4;
  constexpr int kEach = 50;
  std::vector<std::jthread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::vector<std::pair<std::string, Pending>> pending;
      for (int i = 0; i < kEach; ++i) {
        const std::string target = fmt::format("/{}/{}", t, i);
        pending.emplace_back(target, Pending(*transport, {.url = server.url(target)}));
      }
      for (auto& [target, p] : pending) EXPECT_EQ(text_of(p.get()), target + std::string(5000, 'x'));
    });
  }
  threads.clear();
  EXPECT_EQ(server.n_requests(), kThreads * kEach);
}

TEST(Transport, AnOutcomeMayStartTheNextRequest) {
  HttpScript server([](Exchange& e) { e.respond(200, {}, e.request().target); });
  const auto transport = CurlTransport::make({});
  std::promise<std::string> last;
  std::function<void(int)> next = [&](int i) {
    transport->start({.url = server.url(fmt::format("/{}", i))}, {}, [&, i](Outcome outcome) {
      if (i == 20) return last.set_value(text_of(outcome));
      next(i + 1);
    });
  };
  next(0);
  EXPECT_EQ(last.get_future().get(), "/20");
  EXPECT_EQ(server.n_connections(), 1);
}

TEST(Transport, TheThreadLeavesWithTheLastIdleConnectionAndComesBack) {
  HttpScript server([](Exchange& e) { e.respond(200); });
  const auto transport = CurlTransport::make({.idle_connection_timeout = std::chrono::milliseconds(20)});
  for (size_t i = 1; i <= 5; ++i) {
    EXPECT_EQ(status_of(exchange(*transport, {.url = server.url()})), 200);
    EXPECT_TRUE(server.wait_until([&] { return server.n_open() == 0; }));
    EXPECT_EQ(server.n_connections(), i);
  }
}

TEST(Transport, WithoutIdleConnectionsEachRequestHasItsOwn) {
  HttpScript server([](Exchange& e) { e.respond(200); });
  const auto transport = CurlTransport::make({.max_idle_connections = 0});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(status_of(exchange(*transport, {.url = server.url()})), 200);
  EXPECT_EQ(server.n_connections(), 3);
}

TEST(Transport, SpeaksOverAUnixSocketWhateverTheHost) {
  const testing::TempDir directory;
  HttpScript server([](Exchange& e) { e.respond(200, {}, e.request().header("Host")); },
                    {.unix_socket = directory / "s"});
  const auto transport =
      CurlTransport::make({.environment = test::environment_of({{"ALL_PROXY", "http://127.0.0.1:1"}}),
                           .unix_socket_path = directory / "s"});
  EXPECT_EQ(text_of(exchange(*transport, {.url = "http://storage.example:81/x"})), "storage.example:81");
  EXPECT_EQ(text_of(exchange(*transport, {.url = "http://cas.example/y"})), "cas.example");
  const ByteVector body = random_bytes(1 << 20, 1);
  EXPECT_EQ(status_of(exchange(*transport, put("http://cas.example/z", body))), 200);
}

}  // namespace
}  // namespace xet::net
