#pragma once

#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/unique_function.h"

namespace xet::http {

using SteadyTime = std::chrono::steady_clock::time_point;
inline constexpr SteadyTime kNever = SteadyTime::max();

enum class IoError : uint8_t {
  kNone,
  kEnd,       ///< the peer has sent its last byte
  kTimedOut,  ///< the deadline passed
  kBroken,    ///< reset, closed by us, or TLS that is none
};

/// How one operation of a Stream ended.
struct IoOutcome {
  size_t n_bytes = 0;
  IoError error = IoError::kNone;
  bool ok() const { return error == IoError::kNone; }
};

/// Where the outcome of an operation goes, and who is resumed then.
struct IoWaiter {
  std::coroutine_handle<> coroutine;
  IoOutcome* outcome = nullptr;
};

/// One accepted connection, plain or TLS, for coroutines:
///
///     const IoOutcome got = co_await read_some(stream, buffer);
///
/// All its completions, and what is posted, run one at a time on the threads of the EventLoop; everything but
/// post() may be called from there only. At most one read, one write (or wait for room) and one sleep at a
/// time. Held by shared_ptr, because what is posted may run after the connection's end.
class Stream : public std::enable_shared_from_this<Stream> {
 public:
  virtual ~Stream() = default;

  /// TLS needs it before the first byte; plain streams have nothing to do.
  virtual void start_handshake(IoWaiter waiter) = 0;
  virtual void start_read(MutableByteSpan into, IoWaiter waiter) = 0;
  /// Writes all pieces (at most kMaxPieces).
  virtual void start_write(std::span<const ByteSpan> pieces, IoWaiter waiter) = 0;
  static constexpr size_t kMaxPieces = 4;
  /// Waits until the socket takes bytes again.
  virtual void start_wait_for_room(IoWaiter waiter) = 0;
  /// Tells the peer that no more bytes come. TLS says goodbye.
  virtual void start_finish(IoWaiter waiter) = 0;
  /// Ends with kNone at `until` or when wake() is called.
  virtual void start_sleep(SteadyTime until, IoWaiter waiter) = 0;
  /// Ends the sleep under way; nothing otherwise.
  virtual void wake() = 0;

  /// When it passes, operations under way and later ones end with kTimedOut, until another one is set. Does
  /// not concern sleeps.
  virtual void set_deadline(SteadyTime deadline) = 0;
  /// Ends everything with kBroken.
  virtual void close() = 0;

  /// Runs a task here, soon. From any thread.
  virtual void post(UniqueFunction<void()> task) = 0;
  /// Resumes a coroutine here, soon, with less ado. From any thread.
  virtual void post(std::coroutine_handle<> coroutine) = 0;

  /// The socket, non-blocking, for sendfile(); -1 where bytes must be encrypted.
  virtual int plain_socket() const = 0;
};

namespace detail {
template <class Start>
struct IoAwaiter {
  Start start;
  IoOutcome outcome{};
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> coroutine) { start({coroutine, &outcome}); }
  IoOutcome await_resume() const noexcept { return outcome; }
};
template <class Start>
IoAwaiter(Start) -> IoAwaiter<Start>;
}  // namespace detail

inline auto handshake(Stream& stream) {
  return detail::IoAwaiter{[&stream](IoWaiter waiter) { stream.start_handshake(waiter); }};
}
inline auto read_some(Stream& stream, MutableByteSpan into) {
  return detail::IoAwaiter{[&stream, into](IoWaiter waiter) { stream.start_read(into, waiter); }};
}
/// The pieces must outlive the await.
inline auto write_all(Stream& stream, std::span<const ByteSpan> pieces) {
  return detail::IoAwaiter{[&stream, pieces](IoWaiter waiter) { stream.start_write(pieces, waiter); }};
}
inline auto wait_for_room(Stream& stream) {
  return detail::IoAwaiter{[&stream](IoWaiter waiter) { stream.start_wait_for_room(waiter); }};
}
inline auto finish_writing(Stream& stream) {
  return detail::IoAwaiter{[&stream](IoWaiter waiter) { stream.start_finish(waiter); }};
}
inline auto sleep_until(Stream& stream, SteadyTime until) {
  return detail::IoAwaiter{[&stream, until](IoWaiter waiter) { stream.start_sleep(until, waiter); }};
}

}  // namespace xet::http
