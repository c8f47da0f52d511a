// Whole files and ranges of them, rebuilt on the way, by signed URL: for clients that know nothing of Xet.
#include <fmt/format.h>

#include <algorithm>

#include "server/core/file_reader.h"
#include "server/http/exchange.h"
#include "server/http/hub_content.h"
#include "server/http/multipart.h"
#include "server/http/on_pool.h"
#include "server/http/streamers.h"

namespace xet::http {

namespace {

/// What is sent while the next piece is being rebuilt.
struct Pieces {
  ByteVector ready;
  ByteVector next;
};

std::string etag_of(const core::FileGrant& grant) {
  return fmt::format("\"{}\"", grant.sha256 ? grant.sha256->hex() : grant.file.hex());
}

std::string head_of(Exchange& exchange, const core::FileGrant& grant, const WantedPart& part) {
  const bool whole = part.kind == WantedPart::Kind::kWhole;
  std::string head = exchange.start_head(whole ? 200 : 206);
  append_field(head, "Content-Type", kBytes);
  append_field(head, "ETag", etag_of(grant));
  append_field(head, "Accept-Ranges", "bytes");
  append_field(head, "X-Content-Type-Options", "nosniff");
  append_field(head, "Cache-Control", "private, max-age=0, must-revalidate");
  if (!whole) append_field(head, "Content-Range", content_range(part.range, grant.size_bytes));
  const fmt::format_int length(part.range.size());
  append_field(head, "Content-Length", length.c_str());
  head += "\r\n";
  return head;
}

std::optional<Answer> refusal_of(const Exchange& exchange, const core::FileGrant& grant,
                                 const WantedPart& part) {
  if (exchange.request.head.if_none_match == etag_of(grant)) {
    Answer out;
    out.status = 304;
    out.headers.emplace_back("ETag", etag_of(grant));
    return out;
  }
  if (part.kind != WantedPart::Kind::kOutside) return std::nullopt;
  return range_outside(grant.size_bytes);
}

/// The URL outlives the moment at which it was given: the repository may have gone meanwhile.
std::optional<Answer> check_repository(App& app, const Request& request, const core::FileGrant& grant) {
  if (!app.hub) return text_answer(404, "there is nothing under this path");
  const auto found = app.hub->find(grant.repository);
  if (!found) return refused_answer(app, request, found.error());
  if (!*found) return text_answer(404, "the repository is gone");
  return std::nullopt;
}

}  // namespace

Task<> send_bridged(Exchange& exchange) {
  App& app = exchange.app;
  const Request& request = exchange.request;
  const auto grant = app.signer->check_file_id(request.values.name);
  if (!grant) {
    const Answer wrong = text_answer(403, "the URL has expired, or was changed");
    co_await exchange.answer(wrong);
    co_return;
  }
  const auto part = wanted_part(request.head, grant->size_bytes, etag_of(*grant));
  auto refused = refusal_of(exchange, *grant, part);
  core::FileReader reader(app.service, {.repository = grant->repository}, grant->file);
  Pieces pieces;
  const bool wants_bytes = !refused && request.head.method != "HEAD" && part.range.size() > 0;
  auto begin = [&] {
    if (!refused) refused = check_repository(app, request, *grant);
    if (refused || !wants_bytes) return true;
    const auto read = reader.read(part.range.begin, part.range.end, pieces.ready);
    if (!read) refused = app.failed(request, read.error(), Blame::kStore);
    return true;
  };
  (void)co_await on_pool(*app.work, exchange.stream, begin);
  if (refused) {
    co_await exchange.answer(*refused);
    co_return;
  }
  const std::string head = head_of(exchange, *grant, part);
  if (!co_await exchange.write_head(head)) co_return;
  BackgroundCall<Status> ahead(*app.work, exchange.stream);
  uint64_t at = part.range.begin + pieces.ready.size();
  while (!pieces.ready.empty()) {
    const bool has_more = at < part.range.end;
    if (has_more) ahead.start([&, at] { return reader.read(at, part.range.end, pieces.next); });
    const bool sent = co_await exchange.write_body(pieces.ready);
    if (!has_more) co_return;
    const Status read = co_await ahead;
    if (!sent) co_return;
    if (!read) {
      // Half of it is sent; that this was not all, the client sees by the length.
      app.report(fmt::format("request {}: {}", request.id, read.error().message));
      app.metrics.store_failures.fetch_add(1, std::memory_order_relaxed);
      exchange.abandon();
      co_return;
    }
    std::swap(pieces.ready, pieces.next);
    at += pieces.ready.size();
  }
}

}  // namespace xet::http
