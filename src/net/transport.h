#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/unique_function.h"
#include "xet/result.h"

namespace xet::net {

struct Header {
  std::string name;
  std::string value;
};
using Headers = std::vector<Header>;

/// Compares without case, as header names are.
bool same_header_name(std::string_view a, std::string_view b);
/// The value of the first header of that name; nullopt when there is none.
std::optional<std::string_view> find_header(const Headers& headers, std::string_view name);

/// How long to wait for a peer. There is no limit on the total time of an exchange.
struct Patience {
  static constexpr std::chrono::milliseconds kForever = std::chrono::milliseconds::max();
  /// Name resolution, TCP, proxy and TLS together.
  std::chrono::milliseconds connect{60'000};
  /// From the last byte of the request (acknowledged by the peer's system, where ours tells) to the first
  /// line of the answer.
  std::chrono::milliseconds first_byte{30'000};
  /// While bytes of the request or of the answer's body are due: without any in either direction.
  std::chrono::milliseconds stall{30'000};
};

struct ResponseHead {
  int status = 0;
  Headers headers;
};

/// Receives the body of a successful answer at its own pace. Called from the network thread, one call at a
/// time, so it must be short; kept alive by the request until the outcome is delivered.
class ResponseSink {
 public:
  virtual ~ResponseSink() = default;
  /// The final head, once, before any byte. An error ends the exchange with Fault::kRefusedByReceiver and
  /// this error.
  virtual Status begin(const ResponseHead& head) = 0;
  /// Where the next bytes go: at least one byte long, valid until filled(). Empty when there is no memory
  /// now; then `resume` is called exactly once, later and from any thread. Time spent without room does not
  /// count as a stall.
  virtual MutableByteSpan room(UniqueFunction<void()> resume) = 0;
  /// The first `n_bytes` (at least 1) of the last room() hold data. An error ends the exchange like that of
  /// begin().
  virtual Status filled(size_t n_bytes) = 0;
};

struct Request {
  std::string method = "GET";
  std::string url;  ///< may hold a signature: never logged, never in an error with its query
  Headers
      headers;  ///< nothing is added but Host, Accept, Content-Length and what the transport was made with
  /// The body, in order. Each piece must stay valid until the outcome. Sent again from the start when the
  /// request has to be repeated (a stale connection, a redirect that keeps the method).
  std::vector<ByteSpan> body;
  bool has_body = false;  ///< sends Content-Length, also when `body` is empty
  Patience patience;
  /// Gets the body of a 2xx answer; without one it is gathered in Response::body.
  std::shared_ptr<ResponseSink> sink;
  /// A gathered body that is longer ends the exchange with Fault::kTooLarge. Of the body of other answers
  /// only the first 4 KiB are kept, whatever their length.
  size_t max_body_bytes = size_t{1} << 20;
  /// Total bytes of the body handed to the network so far; may go back when the request is repeated. Called
  /// from the network thread.
  UniqueFunction<void(uint64_t)> on_sent;
};

struct Response {
  ResponseHead head;
  ByteVector body;  ///< empty when it went to a sink
  bool is_success() const { return head.status >= 200 && head.status < 300; }
};

/// Why there is no complete answer.
enum class Fault : uint8_t {
  kCancelled,          ///< the stop token fired
  kBadRequest,         ///< the URL, a header or the scheme cannot be used: nothing was sent
  kResolve,            ///< no address for the name
  kConnect,            ///< refused, unreachable, or the connect limit passed
  kTls,                ///< handshake failed for a reason that may pass
  kCertificate,        ///< the peer's certificate is not trusted: repeating does not help
  kNoAnswer,           ///< Patience::first_byte passed
  kStalled,            ///< Patience::stall passed
  kBroken,             ///< the connection ended before the answer was complete
  kBadHttp,            ///< not HTTP, or a head beyond the limits
  kRedirects,          ///< more than 10, or to another scheme
  kTooLarge,           ///< see Request::max_body_bytes
  kRefusedByReceiver,  ///< the sink's error, in TransportError::error
};

struct TransportError {
  Fault fault = Fault::kBroken;
  /// For people: what failed, with which host and address, after how long. Never a query, never a token.
  Error error;
  /// The head, when one had come before the fault.
  std::optional<ResponseHead> head;
};

using Outcome = tl::expected<Response, TransportError>;

/// Sends HTTP requests. Thread-safe. Any status is a Response; a TransportError means that there is no
/// complete answer. Redirects are followed. Nothing is retried here but what a pooled connection spoilt that
/// turned out dead before a byte of the answer came: every request of ours may be repeated.
///
/// A request that is answered before all of its body was sent (413, 401) gives that answer, and so does one
/// whose connection breaks in the body of an answer that is no success.
///
/// Implementations: CurlTransport; tests script their own.
class Transport {
 public:
  virtual ~Transport() = default;
  /// Returns at once. `done` gets the outcome exactly once, on the transport's thread or on the caller's
  /// before this returns; it must be short and is never called with a lock held.
  virtual void start(Request request, std::stop_token stop, UniqueFunction<void(Outcome)> done) = 0;
};

}  // namespace xet::net
