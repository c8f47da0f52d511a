#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "server/http/limits.h"
#include "server/http/request_parser.h"
#include "server/http/stream.h"
#include "server/http/task.h"

namespace xet::http {

/// Bytes that were read from a connection and not yet used. Not thread-safe.
class InputBuffer {
 public:
  explicit InputBuffer(size_t max_bytes) : max_bytes_(max_bytes) {}
  ByteSpan unread() const { return ByteSpan(bytes_).subspan(begin_, end_ - begin_); }
  bool empty() const { return begin_ == end_; }
  void consume(size_t n) { begin_ += n; }
  /// Room behind the unread bytes; empty when they fill everything that there may be.
  MutableByteSpan room();
  void filled(size_t n) { end_ += n; }

 private:
  const size_t max_bytes_;
  ByteVector bytes_;
  size_t begin_ = 0;
  size_t end_ = 0;
};

/// Why a body cannot be read on.
enum class BodyTrouble : uint8_t {
  kNone,
  kTooLarge,
  kMalformed,
  kTooSlow,
  kGone,  ///< the client is
};

/// Reads the body of one request, however it is framed, within its limit and no slower than allowed.
class BodyReader {
 public:
  struct Piece {
    size_t n_bytes = 0;
    BodyTrouble trouble = BodyTrouble::kNone;
  };

  /// All borrowed. `deadline` is for the whole body.
  BodyReader(Stream& stream, InputBuffer& input, RequestParser& parser, const RequestHead& head,
             const ServerLimits& limits, uint64_t max_bytes, SteadyTime deadline);

  /// Fills `into` unless the body ends before. A client that waits to be told so is told to go on.
  Task<Piece> read(MutableByteSpan into);
  /// The same, but what is there is enough: at least one byte, unless the body ends or there is trouble.
  Task<Piece> read_some(MutableByteSpan into);
  /// Reads bytes that are there already, without waiting: for another thread, while the connection's
  /// coroutine awaits it. 0: none, or they cannot be had in this way, or there is trouble; read_some() then
  /// tells which.
  size_t read_at_once(MutableByteSpan into);
  /// The same for bytes that nobody wants, whatever the route's limit.
  Task<Piece> read_away(MutableByteSpan into);

  bool at_end() const { return at_end_; }
  uint64_t n_read() const { return n_read_; }
  /// Bytes that are still to come; nullopt when nobody knows.
  std::optional<uint64_t> n_left() const;
  /// The client sends the body only when it is told to, and was not.
  bool is_withheld() const { return withheld_; }
  BodyTrouble trouble() const { return trouble_; }

 private:
  Task<Piece> read_at_least(size_t n_bytes, MutableByteSpan into);
  Task<> tell_to_continue();
  Task<size_t> read_plain(size_t at_least, MutableByteSpan into);
  Task<size_t> read_chunked(size_t at_least, MutableByteSpan into);
  void note(const IoOutcome& outcome);

  Stream& stream_;
  InputBuffer& input_;
  RequestParser& parser_;
  const ServerLimits& limits_;
  uint64_t max_bytes_;
  const SteadyTime deadline_;
  const bool chunked_;
  uint64_t left_ = 0;  // unless chunked
  uint64_t n_read_ = 0;
  bool at_end_ = false;
  bool withheld_ = false;
  BodyTrouble trouble_ = BodyTrouble::kNone;
};

}  // namespace xet::http
