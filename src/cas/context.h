#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "base/sync.h"
#include "cas/http_cas.h"
#include "cas/token_source.h"
#include "exec/in_flight.h"
#include "exec/thread_pool.h"
#include "exec/timer.h"
#include "net/permits.h"
#include "net/transport.h"

namespace xet::cas {

struct MultirangeGroup;

/// What all calls of one HttpCas share. Outlives them: whoever destroys it waits for `in_flight` first.
struct HttpContext {
  explicit HttpContext(HttpCasOptions from);
  HttpContext(const HttpContext&) = delete;
  HttpContext& operator=(const HttpContext&) = delete;

  /// A URL of the CAS: the endpoint with `path` put behind it.
  std::string url(std::string_view path) const { return options.endpoint + std::string(path); }
  // The task may be done, and with it the last call, before these return: only the token keeps the context
  // for them.
  void submit(exec::Task task) {
    const auto token = in_flight.token();
    pool.submit(std::move(task));
  }
  void run_after(std::chrono::steady_clock::duration delay, exec::Task task) {
    const auto token = in_flight.token();
    timer.at(options.clock->now() + delay, std::move(task));
  }
  void trouble(std::string_view line) const {
    if (options.on_trouble) options.on_trouble(line);
  }

  HttpCasOptions options;
  net::Headers session_header;  ///< on every request
  net::Headers standing;        ///< on every request but those for tokens
  // What was found out about the server; any call may set it, none waits for it.
  std::atomic<bool> reconstruction_is_v1{false};
  std::atomic<bool> shards_are_v1{false};
  std::atomic<bool> has_no_file_heads{false};
  /// Until when xorbs go without asking for a grant.
  Sync<std::chrono::steady_clock::time_point> no_grants_until;
  std::atomic<size_t> n_multirange_refusals{0};  ///< in a row
  /// Fetches that wait for the others of their URL: table, its generation, URL in it.
  using GroupKey = std::tuple<const void*, uint64_t, size_t>;
  Sync<std::map<GroupKey, std::shared_ptr<MultirangeGroup>>> multirange_groups;
  exec::InFlight in_flight;
  net::Permits uploads;
  net::Permits downloads;
  std::unique_ptr<TokenSource> tokens;
  exec::Timer timer;
  exec::ThreadPool pool;  ///< parses large answers, and asks for tokens where that may block
};

/// Puts `own` behind `standing` and leaves out of `standing` what `own` has too.
net::Headers merged(const net::Headers& standing, net::Headers own);

/// Text of a server for a message of ours: one line without control characters, at most `max_bytes`.
std::string one_line(std::string_view text, size_t max_bytes = 300);

}  // namespace xet::cas
