#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string_view>
#include <thread>

#include "apps/xet/options.h"
#include "apps/xet/output.h"
#include "apps/xet/signals.h"
#include "xet/client.h"
#include "xet/hub.h"
#include "xet/result.h"

namespace xet::cli {

class ProgressPrinter;

/// How a command uses its store.
enum class StoreUse : uint8_t {
  kWrite,  ///< a local store is made when it is not there
  kRead,   ///< a local store that is not there is kNotFound: a mistyped path must not leave an empty store
           ///< behind
  kPlan,   ///< a missing local store, or no endpoint at all, is planned as an empty one
};

/// One run of the program: its options, its output, its failures so far. Used from the main thread.
class Context {
 public:
  Context(const CommonOptions& options, Output& out, SignalWatcher& signals);

  Output& out() { return out_; }
  const CommonOptions& options() const { return options_; }
  SignalWatcher& signals() { return signals_; }

  /// Reports a failure and makes it count for the exit code. Only the first of many cancelled files is shown.
  void fail(const Error& error, std::optional<std::string_view> path = {});
  /// Whoever read the content on stdout went away: no failure to talk about, and no success either.
  void set_broken_pipe() { broken_pipe_ = true; }
  /// The exit code of everything that was reported with fail(), and of a stdout that could not be written.
  /// Reports the latter; call once, at the end.
  int finish();

  bool has_failed() const { return exit_code_ != 0; }

  /// A hf: endpoint too: the store of the repository.
  Result<std::shared_ptr<Client>> open_store(StoreUse use) const;
  /// The repository or bucket that a hf: endpoint names.
  Result<std::shared_ptr<Hub>> open_hub() const;
  Result<std::shared_ptr<Client>> open_without_store() const;
  /// The directory of the local store that the endpoint names, whether it exists or not.
  std::optional<std::filesystem::path> local_store() const;
  SessionOptions session_options(ProgressPrinter* progress) const;
  /// Fires at a signal, and when the time of --timeout is over: for calls that know no deadline. What they
  /// fail with then, fail() tells apart.
  std::stop_token stop() const { return stop_.get_token(); }
  /// Since the program started.
  double seconds() const;

 private:
  ClientOptions client_options() const;
  void watch_time(std::chrono::milliseconds limit);

  const CommonOptions& options_;
  Output& out_;
  SignalWatcher& signals_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::stop_source stop_;
  std::stop_callback<std::function<void()>> on_signal_;
  std::atomic<bool> time_is_over_{false};
  std::jthread timer_;  // only with --timeout
  int exit_code_ = 0;
  bool cancel_shown_ = false;
  bool broken_pipe_ = false;
};

/// Tells that a range delivered nothing because it lies behind the end of the file, and how long that is.
void note_range_past_end(Context& context, uint64_t size_bytes);
void note_range_past_end(Context& context, const Client& client, const FileHash& file);

}  // namespace xet::cli
