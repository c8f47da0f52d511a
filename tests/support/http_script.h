#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/sync.h"
#include "net/transport.h"

namespace xet::testing {

/// Opened once by a test; what waits for it goes on. Thread-safe.
class Gate {
 public:
  void open();
  bool is_open() const;
  /// False when it was not opened within half a minute, or `stop` fired before it was.
  bool wait(const std::stop_token& stop = {});

 private:
  mutable Sync<bool> open_{false};
  std::condition_variable opened_;
};

/// One request as it came.
struct SeenRequest {
  std::string method;
  std::string target;            ///< as in the request line: "/path?query", or a whole URL at a proxy
  net::Headers headers;          ///< names as sent
  size_t nth = 0;                ///< of the server, from 0
  size_t connection = 0;         ///< which one it came on, from 0
  size_t nth_on_connection = 0;  ///< from 0

  /// Empty when there is none of that name (compared without case).
  std::string header(std::string_view name) const;
  bool has_header(std::string_view name) const;
  /// `target` up to the query.
  std::string path() const;
};

/// An HTTP/1.1 server in this process that does what a test says, right or wrong. Each connection has a
/// thread of its own, on which the handler is called once for each request, after its head was read:
///
///     HttpScript server([&](HttpScript::Exchange& exchange) {
///       if (exchange.request().nth == 0) return exchange.reset();
///       exchange.respond(200, {{"X-Request-Id", "1"}}, body);
///     });
///     transport.start({.url = server.url("/v1/x")}, …);
///
/// When the handler returns, a request body that it did not read is read and thrown away, and the connection
/// serves the next request, unless the exchange was ended otherwise. Handlers run at the same time; a handler
/// that only calls Exchange never outlives the server. Thread-safe.
class HttpScript {
 public:
  class Exchange {
   public:
    const SeenRequest& request() const { return request_; }

    // --- The request's body (Content-Length or chunked). Everything returns false, or less, when the peer
    // has gone or the server is being destroyed; a handler may ignore that.

    /// All of it. Reads what is still missing.
    const ByteVector& body();
    /// Reads up to `n` bytes more and returns how many came; 0 at the end. They are appended to body().
    size_t read_some(size_t n);

    // --- Answering

    /// A whole answer with Content-Length.
    bool respond(int status, const net::Headers& headers = {}, std::string_view body = {});
    bool respond(int status, const net::Headers& headers, ByteSpan body);
    /// Status line and these headers, nothing added. Send Content-Length, Transfer-Encoding or
    /// `Connection: close` yourself.
    bool head(int status, const net::Headers& headers);
    /// Any bytes, as they are.
    bool raw(std::string_view bytes);
    bool raw(ByteSpan bytes);
    /// One piece of a body sent with `Transfer-Encoding: chunked`; an empty one ends it.
    bool chunk(std::string_view bytes);

    // --- Waiting

    /// Until the gate is open; false when the server is being destroyed.
    bool wait(Gate& gate);
    /// Until the peer closes or resets the connection; what it sends is thrown away.
    void wait_for_peer_to_go();

    // --- Ending. The handler should return after one of these.

    /// RST: unsent bytes are lost, and so are those that the peer has not read.
    void reset();
    /// FIN, after what was written; unread bytes of the request may make the kernel send RST after it.
    void close();
    /// FIN, and goes on reading until the peer closes: the peer surely sees what was written.
    void close_gently();
    /// Neither reads nor writes any more, nor closes, until the peer has gone or the server is destroyed.
    /// With the receive buffer full the peer's bytes stay in its own.
    void black_hole();
    /// Connects to a port of this machine and passes bytes on in both directions until either side closes;
    /// for CONNECT, answer 200 first. False when nothing listens there.
    bool tunnel(uint16_t port);

   private:
    friend class HttpScript;
    struct Impl;
    explicit Exchange(Impl& impl, SeenRequest request);
    Impl& impl_;
    SeenRequest request_;
  };

  using Handler = std::function<void(Exchange&)>;

  struct Options {
    /// Speaks TLS with a certificate of its own for `tls_names`; see certificate_pem().
    bool tls = false;
    std::vector<std::string> tls_names = {"localhost", "127.0.0.1"};
    /// Listens on this socket instead of a loopback port.
    std::filesystem::path unix_socket;
    /// Receive buffer of each connection, so that a black hole is noticed after few bytes; 0: the system's.
    size_t receive_buffer_bytes = 0;
    /// Called on the connection's thread as soon as it is accepted, before TLS. False resets it.
    std::function<bool(size_t connection)> on_connection;
  };

  explicit HttpScript(Handler handler);
  HttpScript(Handler handler, Options options);
  /// Ends all connections and waits for the handlers.
  ~HttpScript();
  HttpScript(const HttpScript&) = delete;
  HttpScript& operator=(const HttpScript&) = delete;

  uint16_t port() const;
  /// "127.0.0.1:PORT" ("localhost:PORT" with TLS).
  std::string authority() const;
  /// "http://127.0.0.1:PORT" + path; https with TLS.
  std::string url(std::string_view path = "/") const;
  /// What a client must trust; empty without TLS.
  const std::string& certificate_pem() const;
  /// What its file must be called in a directory of trusted certificates; empty without TLS.
  const std::string& certificate_file_name() const;

  // --- What the server saw

  size_t n_requests() const;     ///< heads read
  size_t n_connections() const;  ///< accepted so far
  size_t n_open() const;         ///< connections open now
  size_t most_at_once() const;   ///< requests in handlers at the same time
  uint64_t body_bytes() const;   ///< of all requests, read so far
  std::vector<SeenRequest> requests() const;
  SeenRequest last_request() const;  ///< throws when there was none
  /// Blocks until the condition holds, asking whenever something happens here; false after half a minute.
  bool wait_until(const std::function<bool()>& condition) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace xet::testing
