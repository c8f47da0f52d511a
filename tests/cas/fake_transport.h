#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/sync.h"
#include "exec/in_flight.h"
#include "exec/thread_pool.h"
#include "net/transport.h"

namespace xet::testing {

/// A request as the transport was given it.
struct SentRequest {
  std::string method;
  std::string url;
  net::Headers headers;
  std::string body;
  bool has_body = false;
  net::Patience patience;
  size_t nth = 0;          ///< of the transport, from 0
  size_t nth_of_path = 0;  ///< of requests with this method and path, from 0

  std::string path() const;   ///< with the query, without scheme and host
  std::string route() const;  ///< method and path without query: "GET /v1/x"
  /// Empty when there is none.
  std::string header(std::string_view name) const;
};

/// What becomes of one.
struct Reply {
  int status = 200;
  std::string body;
  net::Headers headers;
  std::optional<net::Fault> fault;         ///< instead of a complete answer
  bool has_head = true;                    ///< of a fault: whether head and body came first
  bool hangs = false;                      ///< nothing comes until the request is stopped
  bool tells_length = true;                ///< adds Content-Length
  size_t piece_bytes = 64 << 10;           ///< most bytes for a sink at once
  std::function<void()> before = nullptr;  ///< runs before anything comes of it
};
Reply reply(int status, std::string body = {}, net::Headers headers = {});
Reply fault(net::Fault fault);

/// A transport without a network: a handler answers every request, on one of the transport's threads.
/// Thread-safe.
class FakeTransport final : public net::Transport {
 public:
  using Handler = std::function<Reply(const SentRequest&)>;
  explicit FakeTransport(Handler handler) : handler_(std::move(handler)) {}
  ~FakeTransport() override { in_flight_.wait(); }

  void start(net::Request request, std::stop_token stop, UniqueFunction<void(net::Outcome)> done) override;

  std::vector<SentRequest> requests() const;
  /// "GET /v1/x" of each, in order.
  std::vector<std::string> routes() const;
  size_t n_requests(std::string_view route) const;

 private:
  struct State {
    std::vector<SentRequest> requests;
    std::map<std::string, size_t> n_by_route;
  };
  net::Outcome exchange(net::Request& request, const SentRequest& sent, const std::stop_token& stop);

  const Handler handler_;
  mutable Sync<State> state_;
  exec::InFlight in_flight_;
  exec::ThreadPool threads_{4};
};

}  // namespace xet::testing
