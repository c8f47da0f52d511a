// Receivers that have no room.

#include <gtest/gtest.h>

#include "net/curl_transport.h"
#include "net/transport_support.h"
#include "support/fake_clock.h"
#include "support/generators.h"
#include "support/temp_dir.h"

namespace xet::net {
namespace {

using test::exchange;
using test::Pending;
using test::ScriptedSink;
using test::status_of;
using test::text_of;
using testing::HttpScript;
using testing::random_bytes;
using Exchange = testing::HttpScript::Exchange;

TEST(TransportPace, EveryByteComesOnceHoweverRoomIsGiven) {
  const ByteVector body = random_bytes(300'000, 1);
  HttpScript server([&](Exchange& e) {
    if (e.request().target == "/chunked") {
      e.head(200, {{"Transfer-Encoding", "chunked"}});
      testing::SplitMix64 random(2);
      for (std::string_view rest = as_chars(body); !rest.empty();) {
        const size_t n = std::min<size_t>(rest.size(), 1 + random.below(40'000));
        e.chunk(rest.substr(0, n));
        rest.remove_prefix(n);
      }
      e.chunk("");
    } else {
      e.respond(200, {}, ByteSpan(body));
    }
  });
  const auto transport = CurlTransport::make({});
  testing::SplitMix64 random(3);
  for (const size_t most : {1'000UL, 16'383UL, 16'384UL, 16'385UL, 100'000UL}) {
    for (const std::string target : {"/plain", "/chunked"}) {
      const auto sink = std::make_shared<ScriptedSink>(0, 1 + random.below(20'000));
      Pending pending(*transport, {.url = server.url(target), .sink = sink});
      size_t granted = 0;
      for (size_t pause = 1; granted < body.size(); ++pause) {
        ASSERT_TRUE(sink->wait_for_pause(pause)) << most << target;
        EXPECT_EQ(sink->received().size(), granted);
        const size_t n = std::min<size_t>(body.size() - granted, 1 + random.below(most));
        granted += n;
        sink->grant(n);
      }
      const auto outcome = pending.get();
      EXPECT_EQ(status_of(outcome), 200) << text_of(outcome);
      EXPECT_EQ(sink->received(), body) << most << target;
    }
  }
  EXPECT_EQ(server.n_connections(), 1);
}

TEST(TransportPace, RoomGivenBeforeTheCallReturnsIsTaken) {
  struct Hasty final : ResponseSink {
    Status begin(const ResponseHead& /*head*/) override { return {}; }
    MutableByteSpan room(UniqueFunction<void()> resume) override {
      if (++calls % 2 == 1) {
        resume();
        return {};
      }
      return buffer;
    }
    Status filled(size_t n) override {
      append_bytes(received, ByteSpan(buffer).first(n));
      return {};
    }
    size_t calls = 0;
    ByteVector buffer = ByteVector(1000);
    ByteVector received;
  };
  const ByteVector body = random_bytes(100'000, 1);
  HttpScript server([&](Exchange& e) { e.respond(200, {}, ByteSpan(body)); });
  const auto transport = CurlTransport::make({});
  const auto sink = std::make_shared<Hasty>();
  const auto outcome = exchange(*transport, {.url = server.url(), .sink = sink});
  EXPECT_EQ(status_of(outcome), 200) << text_of(outcome);
  EXPECT_EQ(sink->received, body);
}

TEST(TransportPace, AReceiverWithoutRoomStopsTheSenderAndNobodyElse) {
  constexpr size_t kBody = size_t{64} << 20;
  // What the kernel's two buffers can hold, and what the transport reads at once.
  constexpr size_t kMostUnderWay = size_t{16} << 20;
  const ByteVector piece(size_t{256} << 10);
  std::atomic<size_t> written = 0;
  HttpScript server([&](Exchange& e) {
    if (e.request().target == "/small") {
      e.respond(200);
      return;
    }
    e.head(200, {{"Content-Length", std::to_string(kBody)}});
    while (written < kBody && e.raw(ByteSpan(piece))) written += piece.size();
  });
  const auto transport = CurlTransport::make({});
  const auto sink = std::make_shared<ScriptedSink>(0);
  Pending pending(*transport, {.url = server.url("/large"), .sink = sink});
  ASSERT_TRUE(sink->wait_for_pause(1));
  // Until the server cannot write any more: nothing for a hundred exchanges of another request.
  size_t before = 0;
  do {
    before = written;
    for (int i = 0; i < 100; ++i)
      EXPECT_EQ(status_of(exchange(*transport, {.url = server.url("/small")})), 200);
  } while (written != before);
  EXPECT_LT(written, kMostUnderWay);
  EXPECT_TRUE(sink->received().empty());
  sink->grant(kBody);
  EXPECT_EQ(status_of(pending.get()), 200);
  EXPECT_EQ(sink->received().size(), kBody);
}

TEST(TransportPace, TimeWithoutRoomIsNoStall) {
  const ByteVector body = random_bytes(1'000'000, 1);
  HttpScript server([&](Exchange& e) { e.respond(200, {}, ByteSpan(body)); });
  testing::FakeClock clock;
  const auto transport = CurlTransport::make({.clock = &clock});
  const auto sink = std::make_shared<ScriptedSink>(500'000);
  Pending pending(*transport, {.url = server.url(), .sink = sink});
  ASSERT_TRUE(sink->wait_for_pause(1));
  for (int i = 0; i < 3; ++i) {
    clock.advance(std::chrono::hours(1));
    EXPECT_EQ(status_of(exchange(*transport, {.url = server.url()})), 200);  // so the thread has looked
  }
  EXPECT_FALSE(pending.is_ready());
  sink->grant(SIZE_MAX - 500'000);
  EXPECT_EQ(status_of(pending.get()), 200);
  EXPECT_EQ(sink->received(), body);
}

TEST(TransportPace, TheEndOfTheConnectionDuringAPauseLosesNothing) {
  const ByteVector body = random_bytes(100'000, 1);
  testing::Gate gone;
  HttpScript server([&](Exchange& e) {
    e.raw("HTTP/1.0 200 OK\r\n\r\n");
    e.raw(ByteSpan(body));
    e.close_gently();
    gone.open();
  });
  const auto transport = CurlTransport::make({});
  const auto sink = std::make_shared<ScriptedSink>(10);
  Pending pending(*transport, {.url = server.url(), .sink = sink});
  ASSERT_TRUE(sink->wait_for_pause(1));
  sink->grant(body.size() - 10);
  EXPECT_EQ(status_of(pending.get()), 200);
  EXPECT_EQ(sink->received(), body);
}

TEST(TransportPace, ARefusalOfTheReceiverEndsIt) {
  HttpScript server([](Exchange& e) { e.respond(200, {}, std::string(1'000'000, 'x')); });
  const auto transport = CurlTransport::make({});
  const auto error = [] { return Status(fail(ErrorCode::kIo, "disk full")); };

  const auto no_begin = std::make_shared<ScriptedSink>();
  no_begin->refuse_begin(error());
  const auto first = exchange(*transport, {.url = server.url(), .sink = no_begin});
  EXPECT_EQ(test::error_of(first).fault, Fault::kRefusedByReceiver);
  EXPECT_EQ(test::error_of(first).error.code, ErrorCode::kIo);
  EXPECT_EQ(test::error_of(first).error.message, "disk full");
  ASSERT_TRUE(test::error_of(first).head);
  EXPECT_EQ(test::error_of(first).head->status, 200);

  const auto no_bytes = std::make_shared<ScriptedSink>(1000);
  no_bytes->refuse_bytes(error());
  const auto second = exchange(*transport, {.url = server.url(), .sink = no_bytes});
  EXPECT_EQ(test::error_of(second).fault, Fault::kRefusedByReceiver);

  // After a pause the bytes come from the call that unpauses.
  const auto later = std::make_shared<ScriptedSink>(0);
  later->refuse_bytes(error());
  Pending third(*transport, {.url = server.url(), .sink = later});
  ASSERT_TRUE(later->wait_for_pause(1));
  later->grant(10);
  EXPECT_EQ(test::error_of(third.get()).fault, Fault::kRefusedByReceiver);
}

}  // namespace
}  // namespace xet::net
