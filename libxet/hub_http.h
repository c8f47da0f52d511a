#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include "net/retry.h"
#include "net/transport.h"
#include "xet/result.h"

namespace xet {

struct HubHttpOptions {
  std::string url;       ///< of the Hub, no slash at the end
  std::string token;     ///< empty: none is sent
  net::Headers headers;  ///< on every request
  net::RetryLadder retry;
  std::shared_ptr<net::Transport> transport;
  std::function<void(std::string_view)> on_trouble;  ///< one line for people about what is tried again
};

/// When a request may be sent again.
enum class Repeat : uint8_t {
  kWheneverItFailed,     ///< it changes nothing, or twice is as good as once
  kUnlessItMayHaveDone,  ///< only when the Hub surely did nothing: no connection, or told to come back
};

/// What a call sends, the same each time.
struct HubRequest {
  std::string method = "GET";
  std::string url;  ///< a path of the Hub, beginning with '/', or an URL of the same origin
  std::string content_type;
  std::string body;
  net::Headers headers;
  size_t max_body_bytes = size_t{64} << 20;
  Repeat repeat = Repeat::kWheneverItFailed;
};

/// Requests to a Hub, one at a time for each caller. Thread-safe. Never shows the token to another origin,
/// nor in a message.
class HubHttp {
 public:
  explicit HubHttp(HubHttpOptions options) : options_(std::move(options)) {}

  /// Blocks until there is a 2xx answer, or none will come. The error says what the Hub said, and has its
  /// status.
  Result<net::Response> call(HubRequest request, const std::stop_token& stop) const;

  const HubHttpOptions& options() const { return options_; }

 private:
  net::Outcome exchange(const HubRequest& request, const std::string& url, const std::stop_token& stop) const;
  Error error_of(const net::Response& response) const;

  HubHttpOptions options_;
};

}  // namespace xet
