#include "server/http/body_reader.h"

#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "server/http/pace.h"

namespace xet::http {

namespace {
constexpr size_t kFirstBuffer = 8 * 1024;
}  // namespace

MutableByteSpan InputBuffer::room() {
  if (begin_ == end_) begin_ = end_ = 0;
  if (end_ == bytes_.size() && begin_ > 0) {
    std::memmove(bytes_.data(), bytes_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == bytes_.size() && bytes_.size() < max_bytes_) {
    bytes_.resize(std::min(max_bytes_, std::max(kFirstBuffer, bytes_.size() * 2)));
  }
  return MutableByteSpan(bytes_).subspan(end_);
}

BodyReader::BodyReader(Stream& stream, InputBuffer& input, RequestParser& parser, const RequestHead& head,
                       const ServerLimits& limits, uint64_t max_bytes, SteadyTime deadline)
    : stream_(stream),
      input_(input),
      parser_(parser),
      limits_(limits),
      max_bytes_(max_bytes),
      deadline_(deadline),
      chunked_(head.chunked),
      left_(head.content_length.value_or(0)),
      at_end_(!chunked_ && left_ == 0),
      withheld_(head.expects_continue && !at_end_) {}

std::optional<uint64_t> BodyReader::n_left() const {
  if (chunked_) return at_end_ ? std::optional<uint64_t>(0) : std::nullopt;
  return left_;
}

void BodyReader::note(const IoOutcome& outcome) {
  if (outcome.ok()) return;
  trouble_ = outcome.error == IoError::kTimedOut ? BodyTrouble::kTooSlow : BodyTrouble::kGone;
}

Task<> BodyReader::tell_to_continue() {
  withheld_ = false;
  const ByteSpan line = as_byte_span("HTTP/1.1 100 Continue\r\n\r\n");
  note(co_await write_all(stream_, std::span(&line, 1)));
}

Task<BodyReader::Piece> BodyReader::read(MutableByteSpan into) {
  co_return co_await read_at_least(into.size(), into);
}

Task<BodyReader::Piece> BodyReader::read_some(MutableByteSpan into) {
  co_return co_await read_at_least(1, into);
}

size_t BodyReader::read_at_once(MutableByteSpan into) {
  const int socket = stream_.plain_socket();
  if (socket < 0 || chunked_ || withheld_ || at_end_ || trouble_ != BodyTrouble::kNone || !input_.empty() ||
      left_ > max_bytes_ - n_read_ || std::chrono::steady_clock::now() >= deadline_) {
    return 0;
  }
  const ssize_t got = ::recv(socket, into.data(), std::min<uint64_t>(into.size(), left_), MSG_DONTWAIT);
  if (got <= 0) return 0;
  const auto n = static_cast<size_t>(got);
  left_ -= n;
  n_read_ += n;
  at_end_ = left_ == 0;
  return n;
}

Task<BodyReader::Piece> BodyReader::read_at_least(size_t n_bytes, MutableByteSpan into) {
  Piece out;
  if (!at_end_ && trouble_ == BodyTrouble::kNone) {
    if (!chunked_ && left_ > max_bytes_ - n_read_) trouble_ = BodyTrouble::kTooLarge;
    if (trouble_ == BodyTrouble::kNone && withheld_ && input_.empty()) {
      stream_.set_deadline(std::chrono::steady_clock::now() + limits_.idle);
      co_await tell_to_continue();
    }
    if (trouble_ == BodyTrouble::kNone) {
      if (chunked_) {
        out.n_bytes = co_await read_chunked(n_bytes, into);
      } else {
        out.n_bytes = co_await read_plain(n_bytes, into);
      }
    }
  }
  out.trouble = trouble_;
  co_return out;
}

Task<BodyReader::Piece> BodyReader::read_away(MutableByteSpan into) {
  max_bytes_ = UINT64_MAX;
  co_return co_await read(into);
}

Task<size_t> BodyReader::read_plain(size_t at_least, MutableByteSpan into) {
  into = into.first(std::min<uint64_t>(into.size(), left_));
  at_least = std::min(at_least, into.size());
  const size_t have = std::min(input_.unread().size(), into.size());
  std::copy_n(input_.unread().begin(), have, into.begin());
  input_.consume(have);
  size_t done = have;
  Pace pace(limits_.idle, limits_.progress_bytes, std::chrono::steady_clock::now(), deadline_);
  while (done < at_least) {
    stream_.set_deadline(pace.deadline());
    const IoOutcome got = co_await http::read_some(stream_, into.subspan(done));
    done += got.n_bytes;
    if (!got.ok()) {
      note(got);
      break;
    }
    pace.moved(got.n_bytes, std::chrono::steady_clock::now());
  }
  left_ -= done;
  n_read_ += done;
  at_end_ = left_ == 0;
  co_return done;
}

Task<size_t> BodyReader::read_chunked(size_t at_least, MutableByteSpan into) {
  size_t done = 0;
  Pace pace(limits_.idle, limits_.progress_bytes, std::chrono::steady_clock::now(), deadline_);
  for (;;) {
    const auto decoded = parser_.decode_chunked(input_.unread(), into.subspan(done));
    if (!decoded) {
      trouble_ = BodyTrouble::kMalformed;
      break;
    }
    input_.consume(decoded->consumed);
    done += decoded->produced;
    n_read_ += decoded->produced;
    at_end_ = decoded->complete;
    if (n_read_ > max_bytes_) trouble_ = BodyTrouble::kTooLarge;
    if (at_end_ || done >= at_least || trouble_ != BodyTrouble::kNone) break;
    if (decoded->consumed > 0 && !input_.empty()) continue;

    // What is left in the buffer is the beginning of something that has to be there as a whole.
    const auto room = input_.room();
    if (room.empty()) {
      trouble_ = BodyTrouble::kMalformed;
      break;
    }
    stream_.set_deadline(pace.deadline());
    const IoOutcome got = co_await http::read_some(stream_, room);
    input_.filled(got.n_bytes);
    if (!got.ok()) {
      note(got);
      break;
    }
    pace.moved(got.n_bytes, std::chrono::steady_clock::now());
  }
  co_return done;
}

}  // namespace xet::http
