#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "net/curl_exchange.h"

namespace xet::net {

/// The network thread: a libcurl multi handle driven by epoll, and the exchanges on it. Made, run and
/// destroyed on that thread.
class CurlLoop {
 public:
  /// `context` must outlive it.
  CurlLoop(CurlContext& context, size_t max_idle_connections);
  ~CurlLoop();
  CurlLoop(const CurlLoop&) = delete;
  CurlLoop& operator=(const CurlLoop&) = delete;

  /// Until the inbox is closing, or there was nothing to do for as long as idle connections are kept. Then
  /// the inbox says that it has no thread.
  void run();

  // What libcurl wants.
  void watch_socket(int fd, int what);
  void set_timer(long timeout_ms);

 private:
  using Time = ProgressWatch::Time;

  void take_messages();
  void begin_hop(CurlExchange& exchange);
  void collect_ended();
  void look_after_limits();
  void abandon(CurlExchange& exchange, Fault fault);
  void finish(CurlExchange& exchange, Outcome outcome);
  void wait();
  bool may_leave();
  void cancel_all();
  CurlExchange* find(uint64_t id) const;

  CurlContext& context_;
  const size_t max_idle_connections_;
  void* multi_;
  int epoll_;
  std::unordered_set<int> watched_;
  uint64_t next_id_ = 0;
  std::unordered_map<uint64_t, std::unique_ptr<CurlExchange>> exchanges_;
  std::optional<std::chrono::steady_clock::time_point> timer_;  // by libcurl's clock, the machine's
  std::chrono::steady_clock::time_point idle_since_;
  bool closing_ = false;
};

}  // namespace xet::net
