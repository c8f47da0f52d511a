#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string_view>

#include "cas/context.h"
#include "net/permits.h"

namespace xet::cas {

/// Registers the files of a shard: by the streaming call, or the older one where the server does not know it.
/// Owns itself until its callback has run.
class ShardUpload : public std::enable_shared_from_this<ShardUpload> {
 public:
  static void start(HttpContext& context, ByteVector shard, std::stop_token stop, Callback<void> done);

  ShardUpload(HttpContext& context, ByteVector shard, std::stop_token stop, Callback<void> done);

 private:
  void send_v2();
  void send_v1();
  net::Request make_request(std::string_view path) const;
  void finish(Status outcome);

  HttpContext& context_;
  std::optional<exec::InFlight::Token> in_flight_;
  const ByteVector shard_;
  const std::stop_token stop_;
  Callback<void> done_;
  net::Permit permit_;
};

/// Whether a server's text about a shard says that it refers to a xorb which is not there. No answer has a
/// code for that, so the words decide: it has to name a xorb, and say "not found", "missing", "unknown",
/// "does not exist", "do not have" or the like. A wrong guess costs an upload without cached shards.
bool says_xorb_is_missing(std::string_view text);

}  // namespace xet::cas
