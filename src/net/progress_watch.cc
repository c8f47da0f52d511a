#include "net/progress_watch.h"

#include <algorithm>

namespace xet::net {

using std::chrono::milliseconds;

namespace {
// While the kernel still holds the end of a request; a look costs one system call.
constexpr milliseconds kLookAtEnd{20};
// Looks at the queue within one stall limit, while it takes no more bytes.
constexpr int kLooksPerStall = 8;
constexpr milliseconds kLookAtLeast{1};
}  // namespace

void ProgressWatch::go_on(State state, Time now) {
  state_ = state;
  since_ = now;
}

void ProgressWatch::connected(bool has_body, Time now) {
  all_handed_over_ = false;
  queue_.reset();
  looked_ = now;
  go_on(has_body ? State::kSending : State::kWaiting, now);
}

void ProgressWatch::sent(bool all, Time now) {
  // The rest of a body whose answer is coming already changes nothing but the time.
  all_handed_over_ = all_handed_over_ || all;
  queue_.reset();
  looked_ = now;
  since_ = now;
}

void ProgressWatch::queued(uint64_t n_bytes, Time now) {
  looked_ = now;
  if (state_ != State::kSending) return;
  if (queue_ && n_bytes < *queue_) since_ = now;
  queue_ = n_bytes;
  if (all_handed_over_ && n_bytes == 0) go_on(State::kWaiting, now);
}

void ProgressWatch::answered(Time now) {
  if (state_ != State::kPaused) go_on(State::kReceiving, now);
}

void ProgressWatch::received(Time now) {
  answered(now);
}

void ProgressWatch::paused(Time now) {
  go_on(State::kPaused, now);
}

void ProgressWatch::resumed(Time now) {
  if (state_ == State::kPaused) go_on(State::kReceiving, now);
}

void ProgressWatch::next_hop(Time now) {
  go_on(State::kConnecting, now);
}

milliseconds ProgressWatch::limit() const {
  switch (state_) {
    case State::kConnecting:
      return patience_.connect;
    case State::kSending:
    case State::kReceiving:
      return patience_.stall;
    case State::kWaiting:
      return patience_.first_byte;
    case State::kPaused:
      return Patience::kForever;
  }
  return Patience::kForever;
}

ProgressWatch::Time ProgressWatch::deadline() const {
  const milliseconds wait = limit();
  // kForever does not fit into the clock's unit, nor would a limit of centuries.
  if (wait >= std::chrono::floor<milliseconds>(Time::max() - since_)) return Time::max();
  return since_ + wait;
}

std::optional<Fault> ProgressWatch::fault(Time now) const {
  if (now < deadline()) return std::nullopt;
  switch (state_) {
    case State::kConnecting:
      return Fault::kConnect;
    case State::kSending:
    case State::kReceiving:
      return Fault::kStalled;
    case State::kWaiting:
      return Fault::kNoAnswer;
    case State::kPaused:
      return std::nullopt;
  }
  return std::nullopt;
}

ProgressWatch::Time ProgressWatch::next_look_at_queue() const {
  if (state_ != State::kSending) return Time::max();
  const milliseconds by_limit = std::max(kLookAtLeast, patience_.stall / kLooksPerStall);
  const milliseconds wait = all_handed_over_ ? std::min(kLookAtEnd, by_limit) : by_limit;
  if (wait >= std::chrono::floor<milliseconds>(Time::max() - looked_)) return Time::max();
  return looked_ + wait;
}

}  // namespace xet::net
