#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <stop_token>
#include <vector>

#include "cas/context.h"
#include "cas/fetch_job.h"
#include "net/permits.h"

namespace xet::cas {

/// Begins a fetch: alone, or, where that is switched on, together with the others of its URL.
void start_fetch(HttpContext& context, FetchRequest request, std::stop_token stop, Callback<void> done);

/// All ranges that one URL is signed for, in one request and one multipart answer. A try, no more: whatever
/// goes wrong, a receiver that blocks the others included, what is missing is fetched range by range. Owns
/// itself until all its jobs are done or handed on.
class MultirangeFetch : public std::enable_shared_from_this<MultirangeFetch> {
 public:
  /// `jobs`: one for each range of the URL, in the order of the answer that gave it.
  static void start(HttpContext& context, std::vector<FetchJob> jobs);
  MultirangeFetch(HttpContext& context, std::vector<FetchJob> jobs);

 private:
  class Exchange;
  void send(net::Permit permit);
  void ended(const net::Outcome& outcome);
  void watch(size_t n_waits);
  void go_on_alone();

  HttpContext& context_;
  std::vector<FetchJob> jobs_;
  net::Permit permit_;
  std::stop_source stop_;
  Sync<size_t> n_waits_{0};  // odd while a receiver has no room
  std::vector<std::unique_ptr<std::stop_callback<std::function<void()>>>> on_stop_;
};

}  // namespace xet::cas
