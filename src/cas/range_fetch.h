#pragma once

#include <memory>
#include <optional>
#include <stop_token>

#include "cas/context.h"
#include "cas/url_table.h"
#include "net/permits.h"

namespace xet::cas {

struct Judgement;

/// One fetch: the bytes of a range into the receiver's memory, piece by piece as the URLs are signed, each by
/// as many exchanges as it takes. What came before a break is not asked for again, unless the storage insists
/// on whole signed ranges; then it is read once more and dropped. Owns itself until its callback has run.
class RangeFetch : public std::enable_shared_from_this<RangeFetch> {
 public:
  static void start(HttpContext& context, FetchRequest request, std::stop_token stop, Callback<void> done);

  RangeFetch(HttpContext& context, FetchRequest request, std::shared_ptr<const HttpTicket> ticket,
             std::stop_token stop, Callback<void> done);

 private:
  class Exchange;

  void next_piece();
  net::Request make_request();
  std::optional<Judgement> judge(net::Outcome& outcome);
  void refresh_url(std::stop_token stop, Callback<void> done);
  uint64_t at() const { return request_.range.bytes.begin + delivered_; }
  bool piece_is_done() const { return at() == piece_end_; }
  void finish(Status outcome);

  HttpContext& context_;
  std::optional<exec::InFlight::Token> in_flight_;
  FetchRequest request_;
  const std::shared_ptr<const HttpTicket> ticket_;
  const std::stop_token stop_;
  Callback<void> done_;
  net::Permit permit_;

  // Touched by one exchange at a time.
  uint64_t delivered_ = 0;
  uint64_t piece_end_ = 0;  // position in the xorb, of the piece under way
  std::shared_ptr<Exchange> exchange_;
  UrlTable::Source source_;          // of the last attempt
  uint64_t delivered_before_ = 0;    // when the last attempt began
  bool asked_for_part_ = false;      // of a signed range, by the last attempt
  bool wants_whole_ranges_ = false;  // the storage refuses parts
  size_t n_refusals_ = 0;            // of fresh URLs in a row
};

}  // namespace xet::cas
