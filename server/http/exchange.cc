#include "server/http/exchange.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>

namespace xet::http {

namespace {
// Sent within one idle limit. Anybody who takes this long for it is given up.
constexpr size_t kBit = 256 * 1024;
// What is left of a body is read for the sake of the connection, up to here.
constexpr uint64_t kMaxDrained = 64 * 1024;
}  // namespace

std::string Exchange::start_head(int status) {
  status_ = status;
  const auto left = body.n_left();
  const bool body_in_the_way = body.trouble() != BodyTrouble::kNone ||
                               (!body.at_end() && (body.is_withheld() || !left || *left > kMaxDrained));
  // Idle connections must not keep others waiting at the door.
  const bool crowded =
      app.metrics.connections_open.load(std::memory_order_relaxed) >= app.limits.max_connections;
  // HTTP/1.0 would need every answer to have a length; nobody who is in a hurry speaks it.
  keep_alive_ = request.head.keep_alive && !request.head.http_1_0 && !body_in_the_way && !crowded &&
                !app.draining.load(std::memory_order_relaxed);
  return begin_head(
      status,
      {.request_id = request.id, .date = http_date(app.clock->wall_now()), .keep_alive = keep_alive_});
}

Task<> Exchange::answer(const Answer& whole) {
  std::string head = start_head(whole.status);
  if (!whole.content_type.empty()) append_field(head, "Content-Type", whole.content_type);
  for (const auto& [name, value] : whole.headers) append_field(head, name, value);
  ByteSpan rest = whole.body_bytes();
  if (whole.status != 304) {
    const fmt::format_int length(whole.content_length.value_or(rest.size()));
    append_field(head, "Content-Length", length.c_str());
  }
  head += "\r\n";
  if (request.head.method == "HEAD" || whole.status == 304) rest = {};
  const std::array<ByteSpan, 2> pieces = {as_byte_span(head), rest.first(std::min(rest.size(), kBit))};
  if (!co_await write_pieces(pieces)) co_return;
  sent_ += pieces[1].size();
  if (pieces[1].size() < rest.size()) co_await write_body(rest.subspan(pieces[1].size()));
}

Task<> Exchange::answer_trouble(BodyTrouble trouble) {
  Answer out;
  switch (trouble) {
    case BodyTrouble::kNone:
      co_return;
    case BodyTrouble::kGone:
      abandon();
      co_return;
    case BodyTrouble::kTooLarge:
      out = text_answer(413, "the body is larger than what is taken here");
      break;
    case BodyTrouble::kMalformed:
      out = text_answer(400, "the chunked body is malformed");
      break;
    case BodyTrouble::kTooSlow:
      app.metrics.timed_out.fetch_add(1, std::memory_order_relaxed);
      out = text_answer(408, "the body came too slowly");
      break;
  }
  co_await answer(out);
}

Task<bool> Exchange::write_head(const std::string& head) {
  const ByteSpan piece = as_byte_span(head);
  co_return co_await write_pieces(std::span(&piece, 1));
}

Task<bool> Exchange::write_body(ByteSpan bytes) {
  while (!bytes.empty()) {
    const ByteSpan piece = bytes.first(std::min(bytes.size(), kBit));
    bytes = bytes.subspan(piece.size());
    if (!co_await write_pieces(std::span(&piece, 1))) co_return false;
    sent_ += piece.size();
  }
  co_return true;
}

Task<bool> Exchange::write_pieces(std::span<const ByteSpan> pieces) {
  stream.set_deadline(std::chrono::steady_clock::now() + app.limits.idle);
  const IoOutcome written = co_await write_all(stream, pieces);
  if (written.ok()) co_return true;
  if (written.error == IoError::kTimedOut) app.metrics.timed_out.fetch_add(1, std::memory_order_relaxed);
  abandon();
  co_return false;
}

void Exchange::abandon() {
  keep_alive_ = false;
  abandoned_ = true;
}

}  // namespace xet::http
