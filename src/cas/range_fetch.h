#pragma once

#include <memory>
#include <optional>
#include <stop_token>

#include "cas/context.h"
#include "cas/fetch_job.h"
#include "net/permits.h"

namespace xet::cas {

struct Judgement;

/// One fetch: the bytes of a range into the receiver's memory, piece by piece as the URLs are signed, each by
/// as many exchanges as it takes. What came before a break is not asked for again, unless the storage insists
/// on whole signed ranges; then it is read once more and dropped. Owns itself until its callback has run.
class RangeFetch : public std::enable_shared_from_this<RangeFetch> {
 public:
  static void start(HttpContext& context, FetchJob job);

  RangeFetch(HttpContext& context, FetchJob job) : context_(context), job_(std::move(job)) {}

 private:
  class Exchange;

  void next_piece();
  net::Request make_request();
  std::optional<Judgement> judge(net::Outcome& outcome);
  void refresh_url(std::stop_token stop, Callback<void> done);
  bool piece_is_done() const { return job_.at() == piece_end_; }
  void finish(Status outcome);

  HttpContext& context_;
  FetchJob job_;
  net::Permit permit_;

  // Touched by one exchange at a time.
  uint64_t piece_end_ = 0;  // position in the xorb, of the piece under way
  std::shared_ptr<Exchange> exchange_;
  UrlTable::Source source_;          // of the last attempt
  uint64_t delivered_before_ = 0;    // when the last attempt began
  bool asked_for_part_ = false;      // of a signed range, by the last attempt
  bool wants_whole_ranges_ = false;  // the storage refuses parts
  size_t n_refusals_ = 0;            // of fresh URLs in a row
};

}  // namespace xet::cas
