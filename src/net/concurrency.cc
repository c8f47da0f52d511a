#include "net/concurrency.h"

#include <algorithm>

namespace xet::net {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// New connections shake hands first; what is moved meanwhile says nothing of the new limit.
constexpr milliseconds kSettle{300};
constexpr seconds kEpoch{1};
// An epoch is longer when little happens in it, because then chance decides; but not longer than this.
constexpr seconds kLongestEpoch{8};
constexpr uint64_t kEventsPerTransfer = 8;
// Below this part of the limit in use, the limit is not what holds the transfers up.
constexpr double kUsedUp = 0.8;
// A step must bring this part of what it would if every connection brought the same. Less, and a busy link
// would be taken for an idle one because of noise; more, and the way from half a link to all of it would be
// missed.
constexpr double kWorth = 0.2;
// Connections over long distances take seconds to get up to speed. While the rate rises like this from one
// epoch to the next, a step is given more of them.
constexpr double kStillRising = 1.05;
constexpr size_t kMostEpochs = 4;
// So many steps of a quarter that paid in a row mean that there is far to go.
constexpr size_t kQuartersBeforeDoubling = 3;
constexpr seconds kFirstHold{5};
constexpr seconds kLongestHold{60};
constexpr milliseconds kCutWindow{500};

double in_seconds(ConcurrencyController::Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

ConcurrencyBounds in_order(ConcurrencyBounds bounds) {
  bounds.min = std::max<size_t>(bounds.min, 1);
  bounds.max = std::max(bounds.max, bounds.min);
  bounds.initial = std::clamp(bounds.initial, bounds.min, bounds.max);
  return bounds;
}

}  // namespace

ConcurrencyController::ConcurrencyController(const ConcurrencyBounds& bounds, Time now)
    : bounds_(in_order(bounds)),
      limit_(bounds_.initial),
      good_{.limit = limit_},
      epoch_begin_(now),
      last_event_(now),
      last_cut_(now - kCutWindow),
      hold_until_(now),
      hold_for_(kFirstHold) {}

void ConcurrencyController::advance(Time now) {
  if (const Time from = std::max(last_event_, epoch_begin_); now > from) {
    use_seconds_ += static_cast<double>(in_use_) * in_seconds(now - from);
  }
  last_event_ = std::max(last_event_, now);
}

void ConcurrencyController::set_in_use(size_t in_use, Time now) {
  advance(now);
  // After a pause everything begins anew: connections are cold, and the network may be another.
  if (in_use_ == 0 && now - epoch_begin_ > kLongestEpoch) begin_epoch(now + kSettle);
  in_use_ = in_use;
}

void ConcurrencyController::moved(uint64_t n_bytes, Time now) {
  advance(now);
  if (now < epoch_begin_ || n_bytes == 0) return;
  epoch_bytes_ += n_bytes;
  ++epoch_events_;
  end_epoch_if_due(now);
}

void ConcurrencyController::ended(TransferEnd how, Time began, Time now) {
  advance(now);
  if (how != TransferEnd::kThrottled && how != TransferEnd::kStalled) return;
  if (began > last_cut_ && now - last_cut_ >= kCutWindow && in_use_ <= limit_) cut(now);
}

void ConcurrencyController::end_epoch_if_due(Time now) {
  const auto elapsed = now - epoch_begin_;
  if (elapsed < kEpoch) return;
  if (elapsed < kLongestEpoch && epoch_events_ < kEventsPerTransfer * limit_) return;
  const Measure seen{.limit = limit_,
                     .used = use_seconds_ / in_seconds(elapsed),
                     .rate = static_cast<double>(epoch_bytes_) / in_seconds(elapsed)};
  const bool used_up = seen.used >= kUsedUp * static_cast<double>(limit_);
  begin_epoch(now);
  switch (phase_) {
    case Phase::kMeasure:
      if (!used_up) return;
      good_ = seen;
      try_step(now);
      return;
    case Phase::kTry:
      judge_step(seen, now);
      return;
    case Phase::kHold:
      if (!used_up) return;
      good_ = {.limit = limit_, .used = seen.used, .rate = (good_.rate + seen.rate) / 2};
      if (now >= hold_until_) try_step(now);
      return;
  }
}

void ConcurrencyController::judge_step(const Measure& seen, Time now) {
  const double promised = seen.used / good_.used;
  if (promised < 1.05) {  // nobody wanted the step
    phase_ = Phase::kMeasure;
    set_limit(good_.limit, now);
    return;
  }
  ++n_epochs_;
  if (seen.rate >= good_.rate * (1 + kWorth * (promised - 1))) {
    good_ = seen;
    hold_for_ = kFirstHold;
    if (!doubling_ && ++n_paid_ >= kQuartersBeforeDoubling) doubling_ = true;
    if (seen.used >= kUsedUp * static_cast<double>(limit_)) {
      try_step(now);
    } else {
      phase_ = Phase::kMeasure;
    }
    return;
  }
  const bool rising = n_epochs_ == 1 || seen.rate >= kStillRising * last_rate_;
  last_rate_ = seen.rate;
  if (rising && n_epochs_ < kMostEpochs) return;
  n_paid_ = 0;
  if (doubling_) {
    doubling_ = false;
    try_step(now);
  } else {
    hold(now);
  }
}

void ConcurrencyController::try_step(Time now) {
  const size_t step = doubling_ ? good_.limit : std::max<size_t>(1, good_.limit / 4);
  const size_t next = std::min(good_.limit + step, bounds_.max);
  if (next == good_.limit) {
    hold(now);
    return;
  }
  phase_ = Phase::kTry;
  n_epochs_ = 0;
  last_rate_ = 0;
  set_limit(next, now);
}

void ConcurrencyController::hold(Time now) {
  phase_ = Phase::kHold;
  hold_until_ = now + hold_for_;
  hold_for_ = std::min<Duration>(hold_for_ * 2, kLongestHold);
  set_limit(good_.limit, now);
}

void ConcurrencyController::cut(Time now) {
  last_cut_ = now;
  n_paid_ = 0;
  if (phase_ == Phase::kTry) {
    doubling_ = false;
    hold(now);
    return;
  }
  // The rate that the network had before means nothing now, so whatever comes next is a base to climb from.
  phase_ = Phase::kMeasure;
  doubling_ = true;
  hold_for_ = kFirstHold;
  set_limit(std::max(bounds_.min, limit_ / 2), now);
  good_ = {.limit = limit_};
}

void ConcurrencyController::set_limit(size_t limit, Time now) {
  if (limit == limit_) {
    begin_epoch(now);
    return;
  }
  limit_ = limit;
  begin_epoch(now + kSettle);
}

void ConcurrencyController::begin_epoch(Time at) {
  epoch_begin_ = at;
  epoch_bytes_ = 0;
  epoch_events_ = 0;
  use_seconds_ = 0;
}

}  // namespace xet::net
