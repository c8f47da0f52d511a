#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <stop_token>
#include <string>

#include "base/clock.h"
#include "net/network_settings.h"
#include "net/transport.h"

namespace xet::net {

struct CurlOptions {
  /// Asked while the transport is made, for whom to trust (read_trust()) and for proxies (read_proxies()).
  /// None: the system's trust, no proxies.
  Environment environment;
  /// Connect to this socket, whatever host a URL names; no proxies then. Empty: TCP.
  std::string unix_socket_path;
  /// Kept for later beside those in use, all hosts together.
  size_t max_idle_connections = 16;
  std::chrono::milliseconds idle_connection_timeout{60'000};
  /// Sent with every request that has no header of the same name.
  Headers headers;
  /// For Patience; must outlive the transport.
  const Clock* clock = &system_clock();
};

/// HTTP/1.1 by libcurl. One thread does all of it: it owns the connections, calls sinks and outcomes, and
/// exists while there are requests or idle connections.
///
/// Follows up to ten redirects to http and https: 301 and 302 make a POST a GET, 303 makes everything but
/// HEAD one, otherwise method and body are kept. Credentials (`Authorization`, `Cookie`, …) do not go to
/// another host, port or scheme.
///
/// A request holds at most what libcurl reads at once (kReceiveBytes) beside the room that its sink gave.
class CurlTransport final : public Transport {
 public:
  static constexpr size_t kReceiveBytes = size_t{128} << 10;

  static std::unique_ptr<CurlTransport> make(CurlOptions options);
  /// Ends what is under way with Fault::kCancelled, and waits for the thread. Not from a callback of it.
  ~CurlTransport() override;

  void start(Request request, std::stop_token stop, UniqueFunction<void(Outcome)> done) override;

 private:
  struct Impl;
  explicit CurlTransport(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace xet::net
