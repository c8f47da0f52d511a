// Bodies of shards, and the answer that tells how far registering is.
#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <string>

#include "base/sync.h"
#include "server/http/exchange.h"
#include "server/http/handlers.h"
#include "server/http/json_out.h"
#include "server/http/on_pool.h"
#include "server/http/streamers.h"

namespace xet::http {

namespace {

// Frames that tell of progress keep this distance: they are for people.
constexpr std::chrono::milliseconds kFrameGap{200};
// Clients refuse lines of more than 1 MiB.
constexpr size_t kMaxMessage = 4096;
constexpr size_t kReadStep = 256 * 1024;

/// Frames on their way from the threads of the store to the connection. Thread-safe.
class Frames {
 public:
  explicit Frames(Stream& stream) : stream_(stream) {}

  void verified(uint64_t n, uint64_t total) {
    push({.text = fmt::format(R"({{"type":"validating","verified":{},"total":{}}})", n, total),
          .passes = true});
  }
  void stage(core::ShardStage stage) {
    push({.text = fmt::format(R"({{"type":"committing","stage":"{}"}})",
                              stage == core::ShardStage::kUploading ? "uploading" : "syncing"),
          .passes = false});
  }
  /// All that came since the last call, as lines.
  std::string take() {
    auto queue = queue_.lock();
    std::string out;
    for (const auto& frame : *queue) out.append(frame.text).push_back('\n');
    queue->clear();
    return out;
  }

 private:
  struct Frame {
    std::string text;
    bool passes = false;  ///< the next one of its kind says it better
  };
  void push(Frame frame) {
    {
      auto queue = queue_.lock();
      const bool was_empty = queue->empty();
      // The first is kept: it says that nothing is verified yet.
      if (queue->size() > 1 && queue->back().passes && frame.passes) queue->pop_back();
      queue->push_back(std::move(frame));
      if (!was_empty) return;
    }
    auto wake = [stream = stream_.shared_from_this()] { stream->wake(); };
    stream_.post(std::move(wake));
  }

  Stream& stream_;
  Sync<std::deque<Frame>> queue_;
};

/// Whether the same shard may do better later.
bool is_retryable(ErrorCode code) {
  return code == ErrorCode::kUnavailable || code == ErrorCode::kDeadline || code == ErrorCode::kCancelled;
}

std::string error_frame(const Answer& refused, ErrorCode code) {
  std::string_view message = as_chars(refused.body_bytes());
  while (message.ends_with('\n')) message.remove_suffix(1);
  return fmt::format("{{\"type\":\"error\",\"message\":{},\"retryable\":{}}}\n",
                     quoted(message.substr(0, kMaxMessage)), is_retryable(code));
}

/// Writes lines as chunks of an answer without length; HTTP/1.0 gets them as they are, until the end.
class LineWriter {
 public:
  explicit LineWriter(Exchange& exchange) : exchange_(exchange), chunked_(!exchange.request.head.http_1_0) {}

  Task<bool> begin() {
    std::string head = exchange_.start_head(200);
    append_field(head, "Content-Type", "application/x-ndjson");
    append_field(head, "X-Accel-Buffering", "no");
    append_field(head, "Cache-Control", "no-store");
    if (chunked_) append_field(head, "Transfer-Encoding", "chunked");
    head += "\r\n";
    alive_ = co_await exchange_.write_head(head);
    co_return alive_;
  }
  Task<> write(const std::string& lines) {
    if (!alive_ || lines.empty()) co_return;
    const std::string chunk = chunked_ ? fmt::format("{:x}\r\n{}\r\n", lines.size(), lines) : lines;
    alive_ = co_await exchange_.write_body(as_byte_span(chunk));
  }
  Task<> end() {
    if (alive_ && chunked_) alive_ = co_await exchange_.write_body(as_byte_span("0\r\n\r\n"));
  }

 private:
  Exchange& exchange_;
  const bool chunked_;
  bool alive_ = true;
};

}  // namespace

Task<bool> read_whole_body(Exchange& exchange) {
  const auto& head = exchange.request.head;
  App& app = exchange.app;
  const auto max = app.limits.*exchange.route->max_body;
  auto& body = exchange.request.body;
  const uint64_t expected = std::min(head.content_length.value_or(head.chunked ? max : 0), max);
  const bool large = exchange.route->large_body;
  Permits& memory = large ? app.shard_memory : app.body_memory;
  auto held = co_await memory.take(exchange.stream, expected,
                                   std::chrono::steady_clock::now() + app.limits.slot_wait);
  if (!held) {
    app.metrics.slots_refused.fetch_add(1, std::memory_order_relaxed);
    const Answer busy =
        busy_answer(large ? "too many shards and commits are under way" : "too many requests are under way",
                    app.limits.retry_after);
    co_await exchange.answer(busy);
    co_return false;
  }
  exchange.memory.emplace(*std::move(held));
  while (!exchange.body.at_end()) {
    const size_t at = body.size();
    // Room is made as bytes come: to announce a length costs nothing.
    body.resize(
        at + (head.chunked ? kReadStep : std::min<uint64_t>(kReadStep, exchange.body.n_left().value_or(0))));
    const auto piece = co_await exchange.body.read(MutableByteSpan(body).subspan(at));
    body.resize(at + piece.n_bytes);
    if (piece.trouble != BodyTrouble::kNone) {
      co_await exchange.answer_trouble(piece.trouble);
      co_return false;
    }
  }
  co_return true;
}

Task<> take_shard_with_progress(Exchange& exchange) {
  if (!co_await read_whole_body(exchange)) co_return;
  App& app = exchange.app;
  Frames frames(exchange.stream);
  const core::ShardProgress progress{
      .on_verified = [&](uint64_t verified, uint64_t total) { frames.verified(verified, total); },
      .on_stage = [&](core::ShardStage stage) { frames.stage(stage); },
  };
  LineWriter writer(exchange);
  BackgroundCall<Result<core::PutShardOutcome>> putting(*app.sync, exchange.stream);
  auto put = [&] {
    return app.service.put_shard(exchange.request.caller.who, exchange.request.body, progress,
                                 app.cut_off.get_token());
  };
  putting.start(std::move(put));

  // From here on failures are told in the stream. When the client goes, registering goes on to its end all
  // the same: he will ask again, and find it done.
  (void)co_await writer.begin();
  auto last_write = std::chrono::steady_clock::now() - kFrameGap;
  std::string last_lines;
  while (!putting.is_done()) {
    const auto now = std::chrono::steady_clock::now();
    if (now < last_write + kFrameGap) {
      co_await sleep_until(exchange.stream, last_write + kFrameGap);
      continue;
    }
    std::string lines = frames.take();
    if (lines.empty() && now >= last_write + app.limits.heartbeat) lines = last_lines;
    if (lines.empty()) {
      co_await sleep_until(exchange.stream, last_write + std::max(app.limits.heartbeat, kFrameGap));
      continue;
    }
    co_await writer.write(lines);
    last_write = std::chrono::steady_clock::now();
    const size_t last_line = lines.rfind('\n', lines.size() - 2);
    last_lines = last_line == std::string::npos ? lines : lines.substr(last_line + 1);
  }
  const auto outcome = co_await putting;
  std::string lines = frames.take();
  if (outcome) {
    count_shard(app, *outcome);
    lines += "{\"type\":\"result\"}\n";
  } else {
    lines += error_frame(shard_refused(app, exchange.request, outcome.error()), outcome.error().code);
  }
  co_await writer.write(lines);
  co_await writer.end();
}

}  // namespace xet::http
