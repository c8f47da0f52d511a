// Bodies of xorbs, verified and stored while they come.
#include <fmt/format.h>

#include "codec/crc64.h"
#include "server/core/xorb_upload.h"
#include "server/http/exchange.h"
#include "server/http/on_pool.h"
#include "server/http/streamers.h"

namespace xet::http {

namespace {

// It and what a XorbUpload takes stay below 1 MiB.
constexpr size_t kPiece = 256 * 1024;

/// Where the bytes of a body go, on the threads of the pool.
struct XorbSink {
  std::unique_ptr<core::XorbUpload> upload;
  Status outcome;            ///< of the upload; after an error nothing more is fed to it
  bool sums_to_end = false;  ///< the checksum counts, also of a body that is no xorb
  codec::Crc64 crc;

  void feed(ByteSpan bytes) {
    if (sums_to_end) crc.update(bytes);
    if (outcome) outcome = upload->feed(bytes);
  }
  bool wants_more() const { return outcome.has_value() || sums_to_end; }
};

// Verified before other calls of the store have their turn: some milliseconds.
constexpr size_t kTurn = 8 << 20;

/// Waiting for bytes is the connection's business. Once some are there, a thread of the pool verifies them
/// and reads on by itself for as long as more are there, because handing each piece from thread to thread
/// would cost as much as verifying it. Meanwhile the kernel's buffer takes what the client sends.
Task<BodyTrouble> pump(Exchange& exchange, XorbSink& sink) {
  ByteVector buffer(kPiece);
  BodyReader::Piece piece;
  auto feed = [&] {
    size_t in_turn = 0;
    for (size_t n = piece.n_bytes; n > 0; n = exchange.body.read_at_once(buffer)) {
      exchange.app.metrics.xorb_bytes_in.fetch_add(n, std::memory_order_relaxed);
      sink.feed(ByteSpan(buffer).first(n));
      if (!sink.wants_more()) return false;
      in_turn += n;
      if (in_turn >= kTurn) break;
    }
    return true;
  };
  const bool reads_at_once = exchange.stream.plain_socket() >= 0 && !exchange.request.head.chunked;
  for (;;) {
    if (reads_at_once) {
      piece = co_await exchange.body.read_some(buffer);
    } else {
      piece = co_await exchange.body.read(buffer);  // else a thread would be woken for each record of TLS
    }
    if (piece.trouble != BodyTrouble::kNone || piece.n_bytes == 0) break;
    exchange.stream.set_deadline(kNever);  // of the reading that has ended; how long verifying takes is ours
    if (!co_await on_pool(*exchange.app.work, exchange.stream, feed)) break;
  }
  co_return piece.trouble;
}

/// Opens the upload; false when the request was answered instead.
Task<bool> begin(Exchange& exchange, XorbSink& sink, const core::Principal& who, const XorbHash& name) {
  App& app = exchange.app;
  auto call = [&] { return app.service.begin_xorb(who, name, app.cut_off.get_token()); };
  auto begun = co_await on_pool(*app.work, exchange.stream, call);
  if (begun) {
    sink.upload = *std::move(begun);
    co_return true;
  }
  const Answer answer = app.failed(exchange.request, begun.error(), Blame::kRequest);
  co_await exchange.answer(answer);
  co_return false;
}

/// What was written of an upload that came to nothing is removed where it may take a while.
Task<> drop(Exchange& exchange, XorbSink& sink) {
  auto call = [&sink] {
    sink.upload.reset();
    return true;
  };
  (void)co_await on_pool(*exchange.app.work, exchange.stream, call);
}

/// Makes the xorb durable, or throws it away; true when it is new.
Task<Result<bool>> finish(Exchange& exchange, XorbSink& sink) {
  auto call = [&sink]() -> Result<bool> {
    auto finished =
        sink.outcome ? sink.upload->finish() : Result<bool>(tl::unexpected(std::move(sink.outcome).error()));
    sink.upload.reset();
    return finished;
  };
  auto stored = co_await on_pool(*exchange.app.sync, exchange.stream, call);
  auto& metrics = exchange.app.metrics;
  if (stored) {
    (*stored ? metrics.xorbs_new : metrics.xorbs_known).fetch_add(1, std::memory_order_relaxed);
  } else if (stored.error().code == ErrorCode::kCorruption) {
    metrics.bad_xorbs.fetch_add(1, std::memory_order_relaxed);
  }
  co_return stored;
}

}  // namespace

Task<> take_xorb(Exchange& exchange) {
  XorbSink sink;
  const XorbHash name(exchange.request.values.hash);
  if (!co_await begin(exchange, sink, exchange.request.caller.who, name)) co_return;
  const BodyTrouble trouble = co_await pump(exchange, sink);
  if (trouble != BodyTrouble::kNone) {
    co_await drop(exchange, sink);
    co_await exchange.answer_trouble(trouble);
    co_return;
  }
  const auto stored = co_await finish(exchange, sink);
  const Answer answer = stored
                            ? json_answer(fmt::format(R"({{"was_inserted":{}}})", *stored ? "true" : "false"))
                            : exchange.app.failed(exchange.request, stored.error(), Blame::kRequest);
  co_await exchange.answer(answer);
}

Task<> take_granted_xorb(Exchange& exchange) {
  App& app = exchange.app;
  Answer answer;
  const auto grant = app.signer->check_grant_id(exchange.request.values.name);
  // Statuses as the clients read them: 400 and 403 make them ask for another grant, 412 means that it is
  // stored, and everything else that they go on with a POST of the whole, whose answer then says what is
  // wrong.
  if (!grant) {
    answer = text_answer(403, "this is no grant of ours, or it has expired");
    co_await exchange.answer(answer);
    co_return;
  }
  const auto& announced = exchange.request.head.content_length;
  if (announced && *announced != grant->length) {
    answer = text_answer(400, fmt::format("the grant is for {} bytes", grant->length));
    co_await exchange.answer(answer);
    co_return;
  }
  if (exchange.request.head.if_none_match == "*") {
    auto look = [&] { return app.service.xorb_exists(grant->xorb); };
    const auto exists = co_await on_pool(*app.work, exchange.stream, look);
    if (!exists || *exists) {
      answer = exists ? text_answer(412, "the xorb is stored already")
                      : app.failed(exchange.request, exists.error(), Blame::kStore);
      co_await exchange.answer(answer);
      co_return;
    }
  }

  XorbSink sink;
  sink.sums_to_end = true;
  const core::Principal who{.repository = grant->repository, .reads_every_file = false};
  if (!co_await begin(exchange, sink, who, grant->xorb)) co_return;
  const BodyTrouble trouble = co_await pump(exchange, sink);
  const bool as_granted = exchange.body.n_read() == grant->length && sink.crc.value() == grant->crc64;
  if (trouble != BodyTrouble::kNone || !as_granted) {
    co_await drop(exchange, sink);
    if (trouble != BodyTrouble::kNone) {
      co_await exchange.answer_trouble(trouble);
      co_return;
    }
    app.metrics.bad_checksums.fetch_add(1, std::memory_order_relaxed);
    answer = text_answer(400, "length or checksum is not that of the grant: the body was changed on the way");
    co_await exchange.answer(answer);
    co_return;
  }
  const auto stored = co_await finish(exchange, sink);
  if (!stored) {
    answer = stored.error().code == ErrorCode::kCorruption
                 ? text_answer(422, stored.error().message)
                 : app.failed(exchange.request, stored.error(), Blame::kRequest);
  }
  co_await exchange.answer(answer);
}

}  // namespace xet::http
