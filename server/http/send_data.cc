// Ranges of xorbs, by signed URL.
#include <fmt/format.h>
#include <sys/sendfile.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <limits>
#include <vector>

#include "base/clock.h"
#include "server/http/byte_ranges.h"
#include "server/http/exchange.h"
#include "server/http/multipart.h"
#include "server/http/on_pool.h"
#include "server/http/pace.h"
#include "server/http/streamers.h"

namespace xet::http {

namespace {

using core::CasService;
using core::DataGrant;

// One call of sendfile(), and how much may be sent before other connections of the thread have their turn.
constexpr size_t kSendStep = 1 << 20;
constexpr size_t kTurn = 4 << 20;
// Read and encrypted at a time.
constexpr size_t kReadStep = 256 * 1024;

std::string etag_of(const DataGrant& grant) {
  return fmt::format("\"{}.{}\"", grant.xorb.hex(), grant.generation);
}

/// Whether the range lies inside one that the URL was signed for.
bool is_allowed(const DataGrant& grant, const ByteRange& range) {
  return std::ranges::any_of(grant.ranges, [&](const format::PackedRange& allowed) {
    return allowed.begin <= range.begin && range.end <= allowed.end;
  });
}

/// What to send: or the answer that ends the request.
struct Selection {
  std::vector<ByteRange> ranges;
  std::optional<Answer> refused;
};

Selection select_ranges(const Exchange& exchange, const DataGrant& grant, uint64_t packed_bytes) {
  Selection out;
  const auto unsatisfiable = [&](std::string_view why) {
    out.refused = text_answer(416, why);
    out.refused->headers.emplace_back("Content-Range", fmt::format("bytes */{}", packed_bytes));
    return out;
  };
  // The whole was never signed for.
  if (exchange.request.head.range.empty()) {
    out.refused = text_answer(403, "the URL is for ranges of bytes; send a Range header");
    return out;
  }
  const auto specs = parse_range_header(exchange.request.head.range, exchange.app.limits.max_ranges);
  if (!specs) return unsatisfiable(specs.error().message);
  for (const auto& spec : *specs) {
    const auto range = spec.resolve(packed_bytes);
    if (!range) return unsatisfiable("the range begins behind the end of the xorb");
    if (!is_allowed(grant, *range)) {
      out.refused = text_answer(403, "the URL is not for this range of bytes");
      return out;
    }
    // Ranges that overlap would make a small request a large answer.
    if (!out.ranges.empty() && range->begin < out.ranges.back().end) {
      return unsatisfiable("the ranges are not in order, or overlap");
    }
    out.ranges.push_back(*range);
  }
  return out;
}

/// Sends a part of the object; false when the connection cannot go on.
Task<bool> send_file(Exchange& exchange, int file, const ByteRange& range) {
  const int socket = exchange.stream.plain_socket();
  const auto& limits = exchange.app.limits;
  auto offset = static_cast<off_t>(range.begin);
  const auto end = static_cast<off_t>(range.end);
  Pace pace(limits.idle, limits.progress_bytes, std::chrono::steady_clock::now(), kNever);
  size_t in_turn = 0;
  while (offset < end) {
    const auto step = std::min<size_t>(static_cast<size_t>(end - offset), kSendStep);
    const ssize_t sent = ::sendfile(socket, file, &offset, step);
    if (sent == 0) {  // the object has become shorter than its row says
      exchange.app.report(fmt::format("request {}: an object ends at byte {}", exchange.request.id, offset));
      exchange.abandon();
      co_return false;
    }
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno != EAGAIN) {
      exchange.abandon();
      co_return false;
    }
    if (sent > 0) {
      exchange.count_sent(static_cast<uint64_t>(sent));
      pace.moved(static_cast<size_t>(sent), std::chrono::steady_clock::now());
      in_turn += static_cast<size_t>(sent);
      if (in_turn < kTurn) continue;
    }
    in_turn = 0;
    exchange.stream.set_deadline(pace.deadline());
    const IoOutcome room = co_await wait_for_room(exchange.stream);
    if (!room.ok()) {
      if (room.error == IoError::kTimedOut)
        exchange.app.metrics.timed_out.fetch_add(1, std::memory_order_relaxed);
      exchange.abandon();
      co_return false;
    }
  }
  co_return true;
}

/// The same where the bytes have to pass through our hands.
Task<bool> send_copy(Exchange& exchange, const store::ObjectReader& object, const ByteRange& range) {
  ByteVector buffer(std::min<uint64_t>(kReadStep, range.size()));
  for (uint64_t at = range.begin; at < range.end;) {
    const auto piece = MutableByteSpan(buffer).first(std::min<uint64_t>(buffer.size(), range.end - at));
    auto read = [&] { return object.read_at(at, piece); };
    const Status status = co_await on_pool(*exchange.app.work, exchange.stream, read);
    if (!status) {
      exchange.app.report(fmt::format("request {}: {}", exchange.request.id, status.error().message));
      exchange.abandon();
      co_return false;
    }
    if (!co_await exchange.write_body(piece)) co_return false;
    at += piece.size();
  }
  co_return true;
}

Task<bool> send_part(Exchange& exchange, const store::ObjectReader& object, const ByteRange& range) {
  const auto file = object.file_descriptor();
  if (file && exchange.stream.plain_socket() >= 0) co_return co_await send_file(exchange, *file, range);
  co_return co_await send_copy(exchange, object, range);
}

Task<> send_ranges(Exchange& exchange, const CasService::OpenXorb& xorb, const DataGrant& grant,
                   const std::vector<ByteRange>& ranges) {
  const uint64_t total = xorb.row.packed_bytes();
  const bool single = ranges.size() == 1;
  const MultipartLayout layout(single ? std::span<const ByteRange>() : std::span(ranges), total);
  std::string head = exchange.start_head(206);
  append_field(head, "Content-Type", single ? kBytes : MultipartLayout::content_type());
  if (single) append_field(head, "Content-Range", content_range(ranges.front(), total));
  append_field(head, "ETag", etag_of(grant));
  const uint64_t now_s = unix_seconds(exchange.app.clock->wall_now());
  append_field(
      head, "Cache-Control",
      fmt::format("public, immutable, max-age={}", grant.expires_at_s - std::min(now_s, grant.expires_at_s)));
  const fmt::format_int length(single ? ranges.front().size() : layout.content_length());
  append_field(head, "Content-Length", length.c_str());
  head += "\r\n";
  if (!co_await exchange.write_head(head)) co_return;
  for (size_t i = 0; i < ranges.size(); ++i) {
    if (!single && !co_await exchange.write_body(as_byte_span(layout.before(i)))) co_return;
    if (!co_await send_part(exchange, *xorb.object, ranges[i])) co_return;
  }
  if (!single) co_await exchange.write_body(as_byte_span(MultipartLayout::end()));
}

/// The answer for a xorb that cannot be opened. A generation that has gone is 403 when another one is there:
/// then clients ask for a new URL, which leads to that one.
Answer cannot_open(App& app, const Request& request, const DataGrant& grant, const Error& error) {
  if (error.code != ErrorCode::kNotFound) return app.failed(request, error, Blame::kStore);
  const auto exists = app.service.xorb_exists(grant.xorb);
  if (exists && *exists)
    return text_answer(403, "the URL is for an object that was replaced; ask for a new one");
  return text_answer(404, "the xorb is not in the store any more");
}

}  // namespace

Task<> send_data(Exchange& exchange) {
  App& app = exchange.app;
  const Request& request = exchange.request;
  std::optional<Answer> refused;
  const auto grant = app.signer->check(request.path, request.query);
  if (!grant) {
    refused = text_answer(403, "the URL has expired, or was changed");
    co_await exchange.answer(*refused);
    co_return;
  }
  Result<CasService::OpenXorb> xorb = fail(ErrorCode::kInternal, "not opened");
  auto open = [&] {
    xorb = app.service.open_xorb(grant->xorb, grant->generation);
    if (!xorb) refused = cannot_open(app, request, *grant, xorb.error());
    return true;
  };
  (void)co_await on_pool(*app.work, exchange.stream, open);
  Selection selection;
  if (!refused) {
    selection = select_ranges(exchange, *grant, xorb->row.packed_bytes());
    refused = std::move(selection.refused);
  }
  if (!refused && request.head.if_none_match == etag_of(*grant)) {
    refused.emplace();
    refused->status = 304;
    refused->headers.emplace_back("ETag", etag_of(*grant));
  }
  if (refused) {
    co_await exchange.answer(*refused);
    co_return;
  }
  co_await send_ranges(exchange, *xorb, *grant, selection.ranges);
  app.metrics.data_bytes_out.fetch_add(exchange.sent(), std::memory_order_relaxed);
}

}  // namespace xet::http
