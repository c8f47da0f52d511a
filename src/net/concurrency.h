#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace xet::net {

/// Bounds of the number of transfers at once. Put in order when used: min at least 1, max at least min,
/// initial between them. Equal bounds fix the limit.
struct ConcurrencyBounds {
  size_t initial = 4;
  size_t min = 1;
  size_t max = 64;
};

/// How a transfer, or one attempt of it, ended.
enum class TransferEnd : uint8_t {
  kOk,
  kThrottled,  ///< 429 or 503
  kStalled,    ///< a limit of net::Patience passed
  kFailed,     ///< for a reason that says nothing of load: reset, 4xx, refused by the receiver
};

/// Decides how many transfers run at once, from the bytes that all of them together move. Pure: times are
/// passed in and must not go back. Not thread-safe; Permits owns one.
///
/// It climbs while the total rises. The limit goes up by a step, the total is measured over an epoch of a
/// second or more, and the step stays if it brought a good part of what it promised. Steps double until one
/// did not pay, then they are a quarter; when that does not pay either, the limit stays for a while, and the
/// next try comes later each time. Epochs in which nobody used the limit up decide nothing.
///
/// A throttled or stalled transfer takes back the step that is being tried, or else halves the limit; the
/// climb begins anew from there. What began before a cut, or ends while more transfers run than the limit
/// allows, does not cut again: it is news of the past.
class ConcurrencyController {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Duration = std::chrono::steady_clock::duration;

  ConcurrencyController(const ConcurrencyBounds& bounds, Time now);

  size_t limit() const { return limit_; }

  /// `in_use` transfers run from now on.
  void set_in_use(size_t in_use, Time now);
  /// Body bytes arrived, or left.
  void moved(uint64_t n_bytes, Time now);
  /// A transfer that began at `began` ended.
  void ended(TransferEnd how, Time began, Time now);

 private:
  enum class Phase : uint8_t {
    kMeasure,  // a rate to compare with is not known
    kTry,      // the limit is a step above good_
    kHold,     // at good_, at least until hold_until_
  };
  // What one epoch showed.
  struct Measure {
    size_t limit = 0;
    double used = 0;  // transfers on average
    double rate = 0;  // bytes per second, all together
  };

  void advance(Time now);
  void end_epoch_if_due(Time now);
  void judge_step(const Measure& seen, Time now);
  void set_limit(size_t limit, Time now);
  void begin_epoch(Time at);
  void try_step(Time now);
  void hold(Time now);
  void cut(Time now);

  ConcurrencyBounds bounds_;
  size_t limit_;
  Phase phase_ = Phase::kMeasure;
  bool doubling_ = true;
  size_t n_paid_ = 0;  // steps of a quarter in a row

  Measure good_;          // the last limit that was worth its connections
  double last_rate_ = 0;  // of the epoch before, while a step is being tried
  size_t n_epochs_ = 0;   // that the step was given so far

  Time epoch_begin_;  // in the future for a moment after each change
  Time last_event_;
  uint64_t epoch_bytes_ = 0;
  uint64_t epoch_events_ = 0;
  double use_seconds_ = 0;  // integral of in_use_ over the epoch
  size_t in_use_ = 0;

  Time last_cut_;
  Time hold_until_;
  Duration hold_for_;
};

}  // namespace xet::net
