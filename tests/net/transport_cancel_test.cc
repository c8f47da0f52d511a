// The stop token fires, or the transport is destroyed, at every stage of an exchange.

#include <gtest/gtest.h>

#include <functional>
#include <thread>

#include "net/curl_transport.h"
#include "net/transport_support.h"
#include "support/generators.h"

namespace xet::net {
namespace {

using test::Pending;
using test::put;
using test::ScriptedSink;
using testing::HttpScript;
using Exchange = testing::HttpScript::Exchange;

// A server that stops answering at a given stage, and how a test knows that it is there.
class Stage {
 public:
  explicit Stage(std::string name) : name_(std::move(name)) {}

  const std::string& name() const { return name_; }
  // Begins a request and waits until it is at this stage.
  std::unique_ptr<Pending> enter(Transport& transport, std::stop_token stop) {
    sink_ = std::make_shared<ScriptedSink>(name_ == "paused" ? 0 : SIZE_MAX);
    const std::string scheme = name_ == "handshake" ? "https://" : "http://";
    Request request = put(scheme + server_.authority() + "/", body_);
    request.sink = sink_;
    if (name_ != "sending") request.body = {};
    request.has_body = name_ == "sending";
    auto pending = std::make_unique<Pending>(transport, std::move(request), std::move(stop));
    if (name_ == "handshake") {
      EXPECT_TRUE(server_.wait_until([&] { return server_.n_open() > 0; }));
    }
    if (name_ == "sending") {
      EXPECT_TRUE(server_.wait_until([&] { return server_.body_bytes() >= 1000; }));
    }
    if (name_ == "waiting") {
      EXPECT_TRUE(server_.wait_until([&] { return server_.n_requests() > 0; }));
    }
    if (name_ == "receiving") {
      EXPECT_TRUE(sink_->wait_for_bytes(1000));
    }
    if (name_ == "paused") {
      EXPECT_TRUE(sink_->wait_for_pause(1));
    }
    EXPECT_FALSE(pending->is_ready());
    return pending;
  }
  void resume() { sink_->grant(10); }
  // A server that reads nothing is not told either, while bytes for it are still under way.
  bool connection_is_closed() {
    return name_ == "sending" || server_.wait_until([&] { return server_.n_open() == 0; });
  }

 private:
  void serve(Exchange& e) {
    if (name_ == "sending") e.read_some(1000);
    if (name_ == "receiving" || name_ == "paused") {
      e.head(200, {{"Content-Length", "1000000"}});
      e.raw(std::string(1000, 'x'));
    }
    e.black_hole();
  }

  const std::string name_;
  const ByteVector body_ = ByteVector(size_t{32} << 20);
  std::shared_ptr<ScriptedSink> sink_;
  HttpScript server_{[this](Exchange& e) { serve(e); }, {.receive_buffer_bytes = 16384}};
};

const std::vector<std::string> kStages = {"handshake", "sending", "waiting", "receiving", "paused"};

TEST(TransportCancel, AtEveryStageItEndsSoonAndClosesTheConnection) {
  for (const auto& name : kStages) {
    Stage stage(name);
    const auto transport = CurlTransport::make({});
    std::stop_source stop;
    const auto pending = stage.enter(*transport, stop.get_token());
    const auto before = std::chrono::steady_clock::now();
    stop.request_stop();
    const auto outcome = pending->get();
    EXPECT_EQ(test::error_of(outcome).fault, Fault::kCancelled) << name;
    EXPECT_EQ(test::error_of(outcome).error.code, ErrorCode::kCancelled) << name;
    EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(5)) << name;
    EXPECT_TRUE(stage.connection_is_closed()) << name;
    stage.resume();  // comes too late, and harms nobody
  }
}

TEST(TransportCancel, DestructionEndsEveryStage) {
  for (const auto& name : kStages) {
    Stage stage(name);
    auto transport = CurlTransport::make({});
    const auto pending = stage.enter(*transport, {});
    transport.reset();
    EXPECT_TRUE(pending->is_ready()) << name;
    EXPECT_EQ(test::error_of(pending->get()).fault, Fault::kCancelled) << name;
    EXPECT_TRUE(stage.connection_is_closed()) << name;
    stage.resume();
  }
}

TEST(TransportCancel, WhatIsCancelledBeforeSendsNothing) {
  HttpScript server([](Exchange& e) { e.respond(200); });
  const auto transport = CurlTransport::make({});
  std::stop_source stop;
  stop.request_stop();
  Pending pending(*transport, {.url = server.url("/never")}, stop.get_token());
  EXPECT_EQ(test::error_of(pending.get()).fault, Fault::kCancelled);
  EXPECT_EQ(test::status_of(test::exchange(*transport, {.url = server.url("/after")})), 200);
  EXPECT_EQ(server.n_requests(), 1);
}

TEST(TransportCancel, OneOfManyEndsAlone) {
  testing::Gate gate;
  HttpScript server([&](Exchange& e) {
    e.wait(gate);
    e.respond(200);
  });
  const auto transport = CurlTransport::make({});
  std::vector<std::stop_source> stops(20);
  std::vector<Pending> pending;
  for (auto& stop : stops) pending.emplace_back(*transport, Request{.url = server.url()}, stop.get_token());
  for (size_t i = 0; i < stops.size(); i += 2) stops[i].request_stop();
  for (size_t i = 0; i < stops.size(); i += 2) {
    EXPECT_EQ(test::error_of(pending[i].get()).fault, Fault::kCancelled);
  }
  gate.open();
  for (size_t i = 1; i < stops.size(); i += 2) EXPECT_EQ(test::status_of(pending[i].get()), 200);
}

TEST(TransportCancel, RacesWithTheEnd) {
  HttpScript server([](Exchange& e) { e.respond(200, {}, "x"); });
  const auto transport = CurlTransport::make({});
  size_t finished = 0;
  for (int i = 0; i < 300; ++i) {
    std::stop_source stop;
    Pending pending(*transport, {.url = server.url()}, stop.get_token());
    std::jthread stopper([&] {
      for (int spin = 0; spin < i * 20; ++spin) std::atomic_signal_fence(std::memory_order_seq_cst);
      stop.request_stop();
    });
    const auto outcome = pending.get();
    if (outcome) {
      ++finished;
    } else {
      EXPECT_EQ(outcome.error().fault, Fault::kCancelled);
    }
  }
  EXPECT_LE(finished, 300);
}

TEST(TransportCancel, ARequestFromTheOutcomeOfADestroyedTransportIsCancelledToo) {
  Stage stage("waiting");
  auto transport = CurlTransport::make({});
  std::promise<Fault> second;
  std::stop_source unused;
  transport->start({.url = "http://127.0.0.1:1/"}, unused.get_token(), [](const Outcome&) {});
  const auto first = stage.enter(*transport, {});
  transport->start({.url = "http://192.0.2.1/"}, {}, [&, raw = transport.get()](const Outcome&) {
    raw->start({.url = "http://192.0.2.1/"}, {},
               [&](Outcome outcome) { second.set_value(test::error_of(outcome).fault); });
  });
  transport.reset();
  EXPECT_EQ(second.get_future().get(), Fault::kCancelled);
}

}  // namespace
}  // namespace xet::net
