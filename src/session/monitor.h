#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <thread>

#include "base/clock.h"
#include "base/sync.h"
#include "xet/client.h"
#include "xet/result.h"

namespace xet::session {

/// Speed over the last few seconds, from samples of a growing counter. Pure: time comes in from outside.
class RateMeter {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit RateMeter(std::chrono::milliseconds window = std::chrono::seconds(5)) : window_(window) {}

  /// Notes that the counter stood at `value`; values and times do not go back.
  void sample(Time now, uint64_t value);
  /// Puts this in the place of the newest sample, unless that is the only one.
  void amend(Time now, uint64_t value);
  /// Units per second between the oldest sample inside the window and the newest; 0 before there are two.
  double per_second() const;
  size_t n_samples() const { return samples_.size(); }

 private:
  struct Sample {
    Time time;
    uint64_t value;
  };
  std::chrono::milliseconds window_;
  std::deque<Sample> samples_;
};

/// Adds to a file's own counter, where its caller wants one.
inline void count_done(const std::shared_ptr<FileProgress>& progress, uint64_t bytes) {
  // release: who sees it sees the total that was raised for it
  if (progress != nullptr) progress->done_bytes.fetch_add(bytes, std::memory_order_release);
}
inline void count_total(const std::shared_ptr<FileProgress>& progress, uint64_t bytes) {
  if (progress != nullptr) progress->total_bytes.fetch_add(bytes, std::memory_order_relaxed);
}

/// Progress, deadline and cancellation of one session. One background thread, and only while there is a
/// progress callback or a deadline to watch. Counters may be added to from any thread.
class Monitor {
 public:
  Monitor(const SessionOptions& options, const Clock& clock);
  /// Joins the thread. The last progress callback comes from finish().
  ~Monitor();
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;

  /// Fires when the caller's token fires, the deadline passes, or somebody calls cancel() or fail().
  std::stop_token stop_token() const { return stop_.get_token(); }
  bool stopped() const { return stop_.stop_requested(); }
  void cancel();
  /// Ends the session with an error of its own; the first one counts.
  void fail(Error error);
  /// Why the session stopped; ok while it has not.
  Status status() const;

  /// The counters now, and the speed: samples for it are taken at most every 10 ms, whoever looks.
  Progress snapshot();

  /// Reports once more and stops reporting. Call before the results are handed out.
  void finish();

  // Plain counters that only grow; a snapshot may be a little out of step, so relaxed order is enough.
  std::atomic<uint64_t> total_bytes{0};
  std::atomic<uint64_t> done_bytes{0};
  std::atomic<uint64_t> transfer_bytes{0};
  std::atomic<uint64_t> total_new_bytes{0};
  std::atomic<uint64_t> done_new_bytes{0};
  Sync<ShardProgress> shards;
  std::atomic<uint64_t> total_files{0};
  std::atomic<uint64_t> done_files{0};

 private:
  void run(const std::stop_token& quit);
  void report();

  struct Speed {
    RateMeter done;
    RateMeter transfer;
    RateMeter fresh;
    RateMeter::Time last{};
    bool sampled = false;
  };

  const SessionOptions options_;
  const Clock& clock_;
  mutable Sync<std::optional<Error>> why_;
  std::stop_source stop_;
  Sync<Speed> speed_;
  Sync<bool> quit_{false};
  std::condition_variable wake_;
  std::jthread thread_;
  std::optional<std::stop_callback<std::function<void()>>>
      on_caller_stop_;  // last: gone before what it touches
};

}  // namespace xet::session
