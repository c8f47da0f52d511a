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
/// It climbs while the total rises: the limit goes up by a step, the total is measured over an epoch, and the
/// step stays when it brought a good part of what it promised. Steps double until one did not pay, then they
/// are a quarter; when that does not pay either, it stays for a while and tries again later and later. Epochs
/// in which the limit was not used up decide nothing. A throttled or stalled transfer halves the limit, or
/// takes back the step that is being tried; transfers begun before the last cut do not cut again.
class ConcurrencyController {
 public:
  using Time = std::chrono::steady_clock::time_point;

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
    kMeasure,  // the limit is not known to be good or bad: get a rate to compare with
    kTry,      // one step above good_
    kHold,     // at good_, until hold_until_
  };

  void advance(Time now);
  void end_epoch(double rate, Time now);
  void begin_epoch(Time now);
  void set_limit(size_t limit, Time now);
  size_t step() const;
  void try_step(Time now);
  void hold(Time now);

  ConcurrencyBounds bounds_;
  size_t limit_;
  Phase phase_ = Phase::kMeasure;
  bool doubling_ = true;

  // The last limit that was worth its connections, and the total rate there, in bytes per second.
  size_t good_limit_;
  double good_rate_ = 0;
  double last_rate_ = 0;  // of the epoch before, while a step is being tried
  size_t waits_ = 0;      // epochs that a step was given because its rate still rose

  Time epoch_begin_;
  Time last_event_;
  uint64_t epoch_bytes_ = 0;
  uint64_t epoch_events_ = 0;
  double use_seconds_ = 0;  // integral of in_use_ over the epoch
  size_t in_use_ = 0;

  Time last_cut_;
  Time hold_until_;
  std::chrono::steady_clock::duration hold_for_;
};

}  // namespace xet::net
