#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "base/sync.h"
#include "support/fake_cas.h"
#include "support/http_script.h"

namespace xet::testing {

/// A function that a test may exchange while others call it.
template <class Signature>
class Hook {
 public:
  Hook& operator=(std::function<Signature> function) {
    *function_.lock() = std::move(function);
    return *this;
  }
  std::function<Signature> get() { return *function_.lock(); }

 private:
  Sync<std::function<Signature>> function_;
};

/// A CAS over HTTP for tests of faults: the protocol in front of a FakeCas, which verifies what it is given.
/// A test may take any request for itself. Thread-safe.
class CasServer {
 public:
  using Exchange = HttpScript::Exchange;
  struct Options {
    bool has_v2 = true;      ///< false: reconstructions and shards of version 1 alone
    bool has_grants = true;  ///< false: xorbs by one POST alone
    FakeCas::Options store = {.threads = 0, .tells_chunk_hashes = false};
    size_t receive_buffer_bytes = 0;
    bool checks_tokens = false;  ///< against token(); off: none is needed
  };
  CasServer();
  explicit CasServer(Options options);

  /// Asked before the server answers; true when the request was taken.
  Hook<bool(Exchange&)> intercept;
  /// Whether a URL of this serial number is still good; none: all are.
  Hook<bool(uint64_t serial)> is_url_good;

  FakeCas& store() { return store_; }
  HttpScript& http() { return *http_; }
  std::string url() const { return "http://" + http_->authority(); }
  /// Sends what was asked for; the caller may change the bytes first.
  void send_data(Exchange& exchange, const std::function<void(std::string&)>& change = {});
  /// The bytes that a request for data asks for.
  std::string data_for(const Exchange& exchange);
  static bool is_data(const Exchange& exchange) { return exchange.request().path().starts_with("/data/"); }
  uint64_t n_urls() const { return next_url_; }

  std::string token() const { return "token" + std::to_string(token_); }
  void new_token() { ++token_; }

 private:
  void handle(Exchange& exchange);
  void reconstruct(Exchange& exchange, int version);
  void take_xorb(Exchange& exchange, const XorbHash& xorb);
  void take_shard(Exchange& exchange, int version);
  void grant(Exchange& exchange);
  void upload(Exchange& exchange);
  void commit(Exchange& exchange);

  const Options options_;
  FakeCas store_;
  std::atomic<uint64_t> next_url_ = 0;
  std::atomic<uint64_t> token_ = 1;
  Sync<std::map<std::string, ByteVector>> uploads_;  // by grant
  std::unique_ptr<HttpScript> http_;                 // last: its handlers use the rest
};

}  // namespace xet::testing
