#pragma once

#include <memory>
#include <optional>
#include <string>

#include "server/http/app.h"
#include "server/http/body_reader.h"
#include "server/http/exchange.h"
#include "server/http/request_parser.h"
#include "server/http/stream.h"
#include "server/http/task.h"

namespace xet::http {

/// Serves the requests of one connection, one after the other, until it is closed. Everything runs on its
/// stream's turn but stop() and cut_off().
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(App& app, std::shared_ptr<Stream> stream, bool is_admin);

  /// To the end of the connection; it is closed then.
  Task<> serve();

  /// Closes it now if no request is being served, otherwise after this one. From any thread.
  void stop();
  /// Closes it in the middle of whatever it does. From any thread.
  void cut_off();

 private:
  enum class HeadOutcome : uint8_t { kRead, kOver, kMalformed, kTooLarge, kTooSlow };
  Task<HeadOutcome> read_head(RequestParser& parser, bool first);
  /// One request; false when the connection is not to be used any more.
  Task<bool> serve_one(bool first);
  Task<> serve_request(Exchange& exchange);
  /// False: it was answered that the caller's token is no longer good.
  Task<bool> is_in_standing(Exchange& exchange);
  /// False: it was answered why the body is not taken.
  Task<bool> is_admitted(Exchange& exchange);
  /// What is left to do after an answer; true when another request may come.
  Task<bool> settle(const Exchange& exchange, BodyReader& body);
  /// Closes so that the client can read the answer, though not all that it sent was read.
  Task<> linger();
  void log(const Exchange& exchange, const BodyReader& body, std::chrono::steady_clock::time_point begin,
           std::chrono::system_clock::time_point time);

  App& app_;
  const std::shared_ptr<Stream> stream_;  // shared with what is posted to it
  const bool is_admin_;
  InputBuffer input_;
  bool idle_ = true;  // waiting for a request that has not begun
  std::string head_error_;
};

}  // namespace xet::http
