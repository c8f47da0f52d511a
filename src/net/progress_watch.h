#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "net/transport.h"

namespace xet::net {

/// Decides whether an exchange waits too long for its peer, and for what. Pure: it is told what happens and
/// when, and says until when it is content.
///
///     connecting --connected--> sending --request_complete--> waiting --answered--> receiving
///         ^                         (no body: waiting at once)                          |
///         +-------------------------------- next_hop -----------------------------------+
///
/// Bytes that the kernel has taken but the peer's has not acknowledged are still to be sent: a queue that
/// gets shorter is progress, and the request is complete when it is empty.
class ProgressWatch {
 public:
  using Time = std::chrono::steady_clock::time_point;

  ProgressWatch(const Patience& patience, Time now) : patience_(patience), since_(now) {}

  /// The request goes out now. Again, from anywhere, when it is repeated on a new connection.
  void connected(bool has_body, Time now);
  /// The network took bytes of the request's body; `all`: these were the last.
  void sent(bool all, Time now);
  /// So many bytes lie in the kernel's queue.
  void queued(uint64_t n_bytes, Time now);
  /// The first line of an answer came, or further ones: of an interim answer, of a head, of trailers.
  void answered(Time now);
  /// Bytes of the answer's body came.
  void received(Time now);
  /// The receiver has no room; until resumed() nothing is due.
  void paused(Time now);
  void resumed(Time now);
  /// A redirect is followed.
  void next_hop(Time now);

  /// When fault() will be something, if nothing happens; Time::max() for never.
  Time deadline() const;
  /// kConnect, kNoAnswer or kStalled, when the limit for it has passed.
  std::optional<Fault> fault(Time now) const;
  /// When queued() wants to be told next; Time::max(): not now.
  Time next_look_at_queue() const;

  /// Since when nothing has come or gone.
  Time since() const { return since_; }
  bool is_connecting() const { return state_ == State::kConnecting; }
  bool is_sending() const { return state_ == State::kSending; }

 private:
  enum class State : uint8_t { kConnecting, kSending, kWaiting, kReceiving, kPaused };

  void go_on(State state, Time now);
  std::chrono::milliseconds limit() const;

  Patience patience_;
  State state_ = State::kConnecting;
  Time since_;  // of the last progress
  bool all_handed_over_ = false;
  std::optional<uint64_t> queue_;
  Time looked_;
};

}  // namespace xet::net
