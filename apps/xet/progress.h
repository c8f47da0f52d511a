#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "apps/xet/options.h"
#include "apps/xet/output.h"
#include "base/sync.h"
#include "xet/client.h"

namespace xet::cli {

/// Shows how a transfer goes: a bar on a terminal, a line per 10 s elsewhere, JSON events when asked.
/// Must outlive the session that calls callback(). Thread-safe.
class ProgressPrinter {
 public:
  /// `verb` names the work ("uploading"). `bar_allowed` false: the bar would mix with output on the same
  /// terminal.
  ProgressPrinter(Output& out, const CommonOptions& options, std::string_view verb, bool bar_allowed = true);

  ProgressCallback callback();
  /// Once the session has ended: wipes the bar, or writes the last event.
  void finish();
  /// The latest snapshot.
  Progress last();

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct State {
    Progress last;
    Time next_show;
  };
  void show(const Progress& progress, Time now);
  JsonLine json_event(const Progress& progress, Time now) const;

  Output& out_;
  std::string verb_;
  ProgressMode mode_;
  Time start_ = std::chrono::steady_clock::now();
  Sync<State> state_;
};

}  // namespace xet::cli
