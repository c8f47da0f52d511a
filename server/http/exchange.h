#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "server/http/answer.h"
#include "server/http/app.h"
#include "server/http/body_reader.h"
#include "server/http/request.h"
#include "server/http/route.h"
#include "server/http/stream.h"
#include "server/http/task.h"

namespace xet::http {

/// One request being answered, for whoever writes the answer. Lives on the connection's coroutine.
class Exchange {
 public:
  Exchange(App& app_ref, Stream& stream_ref, BodyReader& body_ref, Request& request_ref,
           const Route* route_ptr)
      : app(app_ref), stream(stream_ref), body(body_ref), request(request_ref), route(route_ptr) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  App& app;
  Stream& stream;
  BodyReader& body;
  Request& request;
  const Route* const route;  ///< null: the request has none
  // Held until the answer is complete.
  std::optional<Permits::Held> slot;
  std::optional<Permits::Held> memory;

  /// Answers in one piece. The answer must outlive the await.
  Task<> answer(const Answer& whole);
  /// What a body that cannot be read is answered with; nothing when the client has gone.
  Task<> answer_trouble(BodyTrouble trouble);

  // --- For answers in several pieces

  /// The beginning of a head, with what all have in common; decides whether the connection stays.
  std::string start_head(int status);
  /// Bytes of the body; false when the client does not take them, and nothing more needs to be sent. Larger
  /// ones are sent bit by bit, so that slow clients have their time.
  Task<bool> write_body(ByteSpan bytes);
  /// A head; false as above.
  Task<bool> write_head(const std::string& head);
  /// Bytes were sent by other means.
  void count_sent(uint64_t n) { sent_ += n; }
  /// The answer cannot be finished: the connection must end, so that nobody takes it for complete.
  void abandon();

  // --- What is left to be done by the connection

  int status() const { return status_; }
  uint64_t sent() const { return sent_; }
  bool keeps_alive() const { return keep_alive_; }
  bool is_abandoned() const { return abandoned_; }

 private:
  Task<bool> write_pieces(std::span<const ByteSpan> pieces);

  int status_ = 499;  // of a client that went before it got one
  uint64_t sent_ = 0;
  bool keep_alive_ = true;
  bool abandoned_ = false;
};

}  // namespace xet::http
