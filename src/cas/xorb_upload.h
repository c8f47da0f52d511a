#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "cas/context.h"
#include "cas/grant.h"
#include "net/permits.h"

namespace xet::cas {

struct Judgement;

/// Stores one xorb: grant, upload to where the grant says, commit; or one POST where there are no grants or
/// they do not lead to the end. One permit for all of it. Owns itself until its callback has run.
class XorbUpload : public std::enable_shared_from_this<XorbUpload> {
 public:
  static void start(HttpContext& context, XorbBody body, std::stop_token stop, Callback<PutXorbOutcome> done);

  XorbUpload(HttpContext& context, XorbBody body, std::stop_token stop, Callback<PutXorbOutcome> done);

 private:
  void sum_up();  ///< on the pool
  void acquire();
  void ask_for_grant();
  void use(UploadGrant grant);
  void commit(const std::string& id);
  void next_grant();
  void post();
  net::Request with_body(net::Request request) const;
  void go_without_grants_for_a_while();
  void finish(Result<PutXorbOutcome> outcome);
  void fail_with(const Error& error);

  HttpContext& context_;
  std::optional<exec::InFlight::Token> in_flight_;
  XorbBody body_;
  const std::stop_token stop_;
  Callback<PutXorbOutcome> done_;
  net::Permit permit_;
  std::string grant_request_;
  size_t n_grants_ = 0;      // that did not lead to the end
  uint64_t sent_bytes_ = 0;  // accepted by grant URLs
};

}  // namespace xet::cas
