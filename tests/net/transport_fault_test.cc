// Servers that break, lie, or fall silent.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "net/curl_transport.h"
#include "net/deaf_port.h"
#include "net/transport_support.h"
#include "support/fake_clock.h"
#include "support/generators.h"

namespace xet::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::error_of;
using test::exchange;
using test::Pending;
using test::put;
using test::ScriptedSink;
using test::status_of;
using test::text_of;
using testing::HttpScript;
using Exchange = testing::HttpScript::Exchange;

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

// --- Connections that break

void break_everywhere(const std::string& answer, bool reset) {
  std::atomic<size_t> k = 0;
  HttpScript server([&](Exchange& e) {
    e.raw(std::string_view(answer).substr(0, k));
    reset ? e.reset() : e.close();
  });
  const auto transport = CurlTransport::make({});
  const size_t head_end = answer.find("\r\n\r\n") + 4;
  // Nothing but the very last line feed after the last chunk can do without.
  const size_t end = answer.ends_with("0\r\n\r\n") ? answer.size() - 1 : answer.size();
  for (k = 0; k < end; ++k) {
    const auto outcome = exchange(*transport, {.url = server.url("/x?secret")});
    const auto error = error_of(outcome);
    EXPECT_EQ(error.fault, Fault::kBroken) << k << ": " << error.error.message;
    EXPECT_EQ(error.error.code, ErrorCode::kUnavailable);
    EXPECT_TRUE(contains(error.error.message, server.authority())) << error.error.message;
    EXPECT_FALSE(contains(error.error.message, "secret")) << error.error.message;
    // After a reset what the client had not read yet is lost.
    if (!reset) {
      EXPECT_EQ(error.head.has_value(), k >= head_end) << k;
    }
  }
  k = answer.size();
  if (!reset) {
    EXPECT_EQ(status_of(exchange(*transport, {.url = server.url()})), 200);
  }
}

TEST(TransportFault, ClosedAtEveryByteOfTheAnswer) {
  break_everywhere("HTTP/1.1 200 OK\r\nContent-Length: 10\r\nX: y\r\n\r\n0123456789", false);
}
TEST(TransportFault, ResetAtEveryByteOfTheAnswer) {
  break_everywhere("HTTP/1.1 200 OK\r\nContent-Length: 10\r\nX: y\r\n\r\n0123456789", true);
}
TEST(TransportFault, ClosedAtEveryByteOfAChunkedAnswer) {
  break_everywhere(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n0123\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n",
      false);
}

TEST(TransportFault, BrokenWhileTheBodyIsSent) {
  const ByteVector body(size_t{8} << 20);
  for (const size_t k : {0UL, 1UL, 1000UL, 100'000UL, 5'000'000UL, body.size()}) {
    for (const bool reset : {false, true}) {
      HttpScript server([&](Exchange& e) {
        for (size_t left = k; left > 0;) left -= e.read_some(left);
        reset ? e.reset() : e.close();
      });
      const auto transport = CurlTransport::make({});
      const auto outcome = exchange(*transport, put(server.url(), body));
      EXPECT_EQ(error_of(outcome).fault, Fault::kBroken) << k << " " << error_of(outcome).error.message;
      EXPECT_EQ(server.n_connections(), 1) << "a fresh connection is not repeated";
    }
  }
}

TEST(TransportFault, TruncationForASinkKeepsTheHead) {
  HttpScript server([](Exchange& e) {
    e.head(206, {{"Content-Length", "1000000"}});
    e.raw(std::string(300'000, 'x'));
    e.close_gently();
  });
  const auto transport = CurlTransport::make({});
  const auto sink = std::make_shared<ScriptedSink>();
  const auto outcome = exchange(*transport, {.url = server.url(), .sink = sink});
  EXPECT_EQ(error_of(outcome).fault, Fault::kBroken);
  ASSERT_TRUE(error_of(outcome).head);
  EXPECT_EQ(error_of(outcome).head->status, 206);
  EXPECT_EQ(sink->received().size(), 300'000);
  EXPECT_TRUE(contains(error_of(outcome).error.message, "300000 bytes of the answer"))
      << error_of(outcome).error.message;
}

TEST(TransportFault, AFailureIsAnAnswerThoughItsBodyBreaks) {
  HttpScript server([](Exchange& e) {
    e.head(503, {{"Content-Length", "1000"}, {"Retry-After", "7"}});
    e.raw("overl");
    e.close_gently();
  });
  const auto transport = CurlTransport::make({});
  const auto outcome = exchange(*transport, {.url = server.url()});
  ASSERT_EQ(status_of(outcome), 503) << text_of(outcome);
  EXPECT_EQ(find_header(outcome->head.headers, "Retry-After"), "7");
  EXPECT_EQ(text_of(outcome), "overl");
}

TEST(TransportFault, AnEarlyAnswerCountsThoughTheBodyWasNotTaken) {
  const ByteVector body(size_t{16} << 20);
  for (const int status : {200, 401, 413, 503}) {
    for (const std::string how : {"gently", "close", "keep"}) {
      HttpScript server([&](Exchange& e) {
        e.respond(status, {}, "early");
        if (how == "gently") e.close_gently();
        if (how == "close") e.close();  // the kernel resets it: there are bytes that nobody read
      });
      const auto transport = CurlTransport::make({});
      const auto outcome = exchange(*transport, put(server.url(), body));
      // A success is believed only while the connection lives; the reset may be seen first.
      if (status == 200 && how == "close" && !outcome) continue;
      EXPECT_EQ(status_of(outcome), status) << how << ": " << text_of(outcome);
      // On a connection whose body was not sent to its end nothing else may follow.
      EXPECT_EQ(status_of(exchange(*transport, {.url = server.url()})), status) << how;
    }
  }
}

// --- Silence

Request impatient(Request request, milliseconds limit = milliseconds(200)) {
  request.patience = {.connect = limit, .first_byte = limit, .stall = limit};
  return request;
}

// Runs it with real limits of 200 ms, and allows ten times as long.
Outcome within_two_seconds(Transport& transport, Request request) {
  const auto before = std::chrono::steady_clock::now();
  auto outcome = exchange(transport, impatient(std::move(request)));
  const auto took = std::chrono::steady_clock::now() - before;
  EXPECT_GE(took, milliseconds(199));
  EXPECT_LT(took, seconds(2));
  return outcome;
}

TEST(TransportFault, ABlackHoleAtEveryPlaceIsNoticedAndNotUsedAgain) {
  const ByteVector body(size_t{32} << 20);
  struct Row {
    std::string place;
    Fault fault;
  };
  const std::vector<Row> rows = {{"request", Fault::kStalled},
                                 {"waiting", Fault::kNoAnswer},
                                 {"status line", Fault::kNoAnswer},
                                 {"head", Fault::kStalled},
                                 {"body", Fault::kStalled}};
  for (const auto& [place, fault] : rows) {
    HttpScript server(
        [&](Exchange& e) {
          if (e.request().nth > 0) return void(e.respond(200));
          if (place == "request") e.read_some(1000);
          if (place == "status line") e.raw("HTTP/1.1 2");
          if (place == "head") e.raw("HTTP/1.1 200 OK\r\nContent-Le");
          if (place == "body") e.raw("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n12345");
          e.black_hole();
        },
        {.receive_buffer_bytes = 16384});
    const auto transport = CurlTransport::make({});
    Request request = place == "request" ? put(server.url(), body) : Request{.url = server.url()};
    const auto outcome = within_two_seconds(*transport, std::move(request));
    EXPECT_EQ(error_of(outcome).fault, fault) << place << ": " << error_of(outcome).error.message;
    EXPECT_TRUE(contains(error_of(outcome).error.message, server.authority()))
        << error_of(outcome).error.message;
    EXPECT_EQ(status_of(exchange(*transport, {.url = server.url()})), 200);
    EXPECT_EQ(server.n_connections(), 2) << place;
  }
}

TEST(TransportFault, ALimitHasItsTimeByTheGivenClock) {
  testing::Gate gate;
  HttpScript server([&](Exchange& e) {
    if (e.request().target == "/poke") return void(e.respond(200));
    e.head(200, {{"Content-Length", "10"}});
    e.raw("12345");
    e.black_hole();
  });
  testing::FakeClock clock;
  const auto transport = CurlTransport::make({.clock = &clock});
  const auto sink = std::make_shared<ScriptedSink>();
  Pending pending(*transport, {.url = server.url(), .sink = sink});
  ASSERT_TRUE(sink->wait_for_bytes(5));
  const auto poke = [&] { EXPECT_EQ(status_of(exchange(*transport, {.url = server.url("/poke")})), 200); };
  poke();
  clock.advance(milliseconds(29'999));
  poke();
  EXPECT_FALSE(pending.is_ready());
  clock.advance(milliseconds(1));
  const auto outcome = pending.get();
  EXPECT_EQ(error_of(outcome).fault, Fault::kStalled);
  EXPECT_TRUE(contains(error_of(outcome).error.message, "nothing moved for 30.0 s"))
      << error_of(outcome).error.message;
}

TEST(TransportFault, SlowIsNotSilent) {
  // Each byte comes after four fifths of the limit; all of them take a multiple of it.
  constexpr milliseconds kLimit{250};
  std::atomic<int> n_writes = 0;
  HttpScript server([&](Exchange& e) {
    e.head(200, {{"Content-Length", "8"}});
    for (int i = 0; i < 8; ++i) {
      std::this_thread::sleep_for(kLimit / 5);
      e.raw("x");
      ++n_writes;
    }
  });
  const auto transport = CurlTransport::make({});
  EXPECT_EQ(text_of(exchange(*transport, impatient({.url = server.url()}, kLimit))), "xxxxxxxx");
}

TEST(TransportFault, AServerThatReadsSlowlyIsNotSilent) {
  // The body fits into the kernel's buffers long before the server has read it: only the queue that shrinks
  // tells.
  constexpr milliseconds kLimit{400};
  HttpScript server(
      [&](Exchange& e) {
        while (e.read_some(64'000) > 0) std::this_thread::sleep_for(milliseconds(20));
        e.respond(200, {}, "thanks");
      },
      {.receive_buffer_bytes = 32768});
  const auto transport = CurlTransport::make({});
  const ByteVector body(2'000'000);
  EXPECT_EQ(text_of(exchange(*transport, impatient(put(server.url(), body), kLimit))), "thanks");
}

TEST(TransportFault, FirstByteIsCountedFromTheEndOfTheRequest) {
  testing::Gate gate;
  HttpScript server([&](Exchange& e) {
    e.body();
    e.wait(gate);
    e.respond(200);
  });
  testing::FakeClock clock;
  const auto transport = CurlTransport::make({.clock = &clock});
  Request request{.method = "POST", .url = server.url(), .body = {as_byte_span("{}")}, .has_body = true};
  request.patience = {.first_byte = Patience::kForever, .stall = seconds(30)};
  std::atomic<bool> all_sent = false;
  request.on_sent = [&](uint64_t n) { all_sent = n == 2; };
  Pending pending(*transport, std::move(request));
  EXPECT_TRUE(server.wait_until([&] { return server.body_bytes() == 2; }));
  // Given time to see that the kernel's queue is empty, the transport is patient for ever.
  for (int i = 0; i < 50; ++i) {
    clock.advance(milliseconds(20));
    if (pending.is_ready()) FAIL() << text_of(pending.get());
    std::this_thread::sleep_for(milliseconds(2));
  }
  EXPECT_TRUE(all_sent);
  clock.advance(std::chrono::hours(24));
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_FALSE(pending.is_ready());
  gate.open();
  EXPECT_EQ(status_of(pending.get()), 200);
}

TEST(TransportFault, SilenceInTheBodyOfAFailureIsTheFailure) {
  HttpScript server([](Exchange& e) {
    e.head(500, {{"Content-Length", "1000"}});
    e.raw("oh");
    e.black_hole();
  });
  const auto transport = CurlTransport::make({});
  const auto outcome = within_two_seconds(*transport, {.url = server.url()});
  EXPECT_EQ(status_of(outcome), 500) << text_of(outcome);
}

TEST(TransportFault, ConnectingHasItsLimit) {
  // A server that never answers to the handshake of TLS, and one whose queue of connections is full.
  HttpScript mute([](Exchange& e) { e.black_hole(); });
  const test::DeafPort full(AF_INET);
  ASSERT_TRUE(full.is_deaf());
  const auto transport = CurlTransport::make({});
  for (const auto& url : {"https://" + mute.authority(), "http://127.0.0.1:" + std::to_string(full.port())}) {
    const auto outcome = within_two_seconds(*transport, {.url = url});
    EXPECT_EQ(error_of(outcome).fault, Fault::kConnect) << url;
    EXPECT_TRUE(contains(error_of(outcome).error.message, "no connection within "))
        << error_of(outcome).error.message;
    EXPECT_TRUE(contains(error_of(outcome).error.message, "127.0.0.1:")) << error_of(outcome).error.message;
  }
}

// --- Lies

TEST(TransportFault, WhatIsNoHttpIsNotRetried) {
  std::vector<std::string> answers = {
      "SSH-2.0-OpenSSH_9.2\r\n\r\n",
      "<html>hello</html>\r\n\r\n",
      std::string(100'000, 'x'),
      "HTTP/1.1 200 OK\r\nno colon here\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nX: " + std::string(70'000, 'x') + "\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nX: " + std::string(300'000, 'x') + "\r\nContent-Length: 0\r\n\r\n",
      "HTTP/7.5 200 OK\r\nContent-Length: 0\r\n\r\n",
  };
  answers.emplace_back("HTTP/1.1 200 OK\r\n");
  for (int i = 0; i < 1000; ++i) answers.back() += "A: b\r\n";
  answers.back() += "\r\n";
  HttpScript server([&](Exchange& e) {
    e.raw(answers[std::stoul(e.request().target.substr(1))]);
    e.close_gently();
  });
  const auto transport = CurlTransport::make({});
  for (size_t i = 0; i < answers.size(); ++i) {
    const std::string& text = answers[i];
    const auto outcome = exchange(*transport, {.url = server.url("/" + std::to_string(i))});
    EXPECT_EQ(error_of(outcome).fault, Fault::kBadHttp)
        << text.substr(0, 60) << ": " << error_of(outcome).error.message;
    EXPECT_EQ(error_of(outcome).error.code, ErrorCode::kCorruption);
    EXPECT_LT(error_of(outcome).error.message.size(), 500);
  }
}

TEST(TransportFault, HeadsWithoutEndAreCutOff) {
  HttpScript server([](Exchange& e) {
    if (e.request().target == "/interim") {
      while (e.head(103, {{"Link", std::string(1000, 'x')}})) {
      }
    } else if (e.request().target == "/trailers") {
      e.raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
      while (e.raw("X: " + std::string(1000, 'x') + "\r\n")) {
      }
    } else {
      e.raw("HTTP/1.1 200 OK\r\n");
      while (e.raw("X: " + std::string(1000, 'x') + "\r\n")) {
      }
    }
  });
  const auto transport = CurlTransport::make({});
  for (const std::string target : {"/interim", "/head", "/trailers"}) {
    const auto outcome = exchange(*transport, {.url = server.url(target)});
    EXPECT_EQ(error_of(outcome).fault, Fault::kBadHttp) << target << ": " << error_of(outcome).error.message;
  }
}

TEST(TransportFault, AGatheredBodyHasALimit) {
  HttpScript server([](Exchange& e) {
    const std::string body(1001, 'x');
    if (e.request().target == "/length") {
      e.respond(200, {}, body);
    } else if (e.request().target == "/claim") {
      e.head(200, {{"Content-Length", "999999999999"}});
      e.black_hole();
    } else {
      e.head(200, {{"Transfer-Encoding", "chunked"}});
      e.chunk(body);
      e.chunk("");
    }
  });
  const auto transport = CurlTransport::make({});
  for (const std::string target : {"/length", "/claim", "/chunked"}) {
    const auto outcome = exchange(*transport, {.url = server.url(target), .max_body_bytes = 1000});
    EXPECT_EQ(error_of(outcome).fault, Fault::kTooLarge) << target;
    EXPECT_EQ(error_of(outcome).error.code, ErrorCode::kCorruption);
    EXPECT_TRUE(error_of(outcome).head);
  }
  EXPECT_EQ(status_of(exchange(*transport, {.url = server.url("/length"), .max_body_bytes = 1001})), 200);
  EXPECT_EQ(status_of(exchange(*transport, {.url = server.url("/chunked"), .max_body_bytes = 1001})), 200);
}

TEST(TransportFault, NobodyThere) {
  uint16_t port = 0;
  {
    port = HttpScript([](Exchange&) {}).port();
  }
  const auto transport = CurlTransport::make({});
  const auto refused =
      exchange(*transport, {.url = "http://user:secret@127.0.0.1:" + std::to_string(port) + "/x?secret"});
  EXPECT_EQ(error_of(refused).fault, Fault::kConnect);
  EXPECT_EQ(error_of(refused).error.code, ErrorCode::kUnavailable);
  EXPECT_TRUE(contains(error_of(refused).error.message, "127.0.0.1:" + std::to_string(port)))
      << error_of(refused).error.message;
  EXPECT_FALSE(contains(error_of(refused).error.message, "secret")) << error_of(refused).error.message;

  const auto unknown = exchange(*transport, {.url = "http://no-such-host.invalid/x?secret"});
  EXPECT_EQ(error_of(unknown).fault, Fault::kResolve) << error_of(unknown).error.message;
  EXPECT_TRUE(contains(error_of(unknown).error.message, "no-such-host.invalid"));

  const auto socketless =
      exchange(*CurlTransport::make({.unix_socket_path = "/nonexistent/socket"}), {.url = "http://a/"});
  EXPECT_EQ(error_of(socketless).fault, Fault::kConnect) << error_of(socketless).error.message;
  EXPECT_TRUE(contains(error_of(socketless).error.message, "/nonexistent/socket"));
}

TEST(TransportFault, RequestsThatCannotBeSent) {
  HttpScript server([](Exchange& e) { e.respond(200); });
  const auto transport = CurlTransport::make({});
  for (const std::string url : {"", "nonsense", "http://", "ftp://127.0.0.1/", "file:///etc/passwd",
                                "http://a b/", "http://127.0.0.1:99999/", "http://127.0.0.1/\r\nX: y"}) {
    const auto outcome = exchange(*transport, {.url = url});
    const Fault fault = error_of(outcome).fault;
    EXPECT_TRUE(fault == Fault::kBadRequest) << url << ": " << error_of(outcome).error.message;
  }
  const std::vector<Header> headers = {
      {"X", "a\r\nInjected: b"},       {"X", std::string("a\0b", 3)}, {"X Y", "a"}, {"", "a"}, {"X:", "a"},
      {"Transfer-Encoding", "chunked"}};
  for (const auto& header : headers) {
    const auto outcome = exchange(*transport, {.url = server.url(), .headers = {header}});
    EXPECT_EQ(error_of(outcome).fault, Fault::kBadRequest) << header.name;
    EXPECT_EQ(error_of(outcome).error.code, ErrorCode::kInvalidArgument);
  }
  Request wrong_length = put(server.url(), as_byte_span("abc"));
  wrong_length.headers = {{"Content-Length", "4"}};
  EXPECT_EQ(error_of(exchange(*transport, std::move(wrong_length))).fault, Fault::kBadRequest);
  Request method{.method = "GET / HTTP/1.1\r\nX: y\r\n\r\n", .url = server.url()};
  EXPECT_EQ(error_of(exchange(*transport, std::move(method))).fault, Fault::kBadRequest);
  EXPECT_EQ(server.n_requests(), 0);
}

}  // namespace
}  // namespace xet::net
