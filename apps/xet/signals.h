#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <stop_token>
#include <thread>

namespace xet::cli {

/// Turns SIGINT and SIGTERM into a stop request. The first signal fires the token; a second one ends the
/// process at once with 130, and so does a command that has not ended `grace` after the first. Signals that
/// the process was started to ignore stay ignored. SIGPIPE is ignored, so that a closed stdout is an error
/// value. At most one object at a time; make it before other threads.
class SignalWatcher {
 public:
  /// `on_first` is called once, from the watching thread.
  explicit SignalWatcher(std::function<void()> on_first);
  ~SignalWatcher();
  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;

  std::stop_token token() const { return stop_.get_token(); }
  /// Asks the work to end without a signal, e.g. because nobody reads the output any more.
  void request_stop();
  bool interrupted() const { return interrupted_; }
  /// Becomes readable, and stays so, when a stop was requested; for poll().
  int wake_fd() const { return wake_read_fd_; }
  void set_grace(std::chrono::milliseconds grace) { grace_ms_ = grace.count(); }

 private:
  void watch();
  void fire();

  std::stop_source stop_;
  std::function<void()> on_first_;
  std::atomic<bool> interrupted_{false};                          // independent flag; orders nothing else
  std::atomic<std::chrono::milliseconds::rep> grace_ms_{10'000};  // likewise
  int signal_read_fd_ = -1;
  int wake_read_fd_ = -1;
  int wake_write_fd_ = -1;
  std::thread requester_;  // stop callbacks may take a while; the watcher stays free for the second signal
  std::thread watcher_;
};

}  // namespace xet::cli
