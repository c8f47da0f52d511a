#pragma once

#include <nanobind/nanobind.h>

#include "bindings/python/interpreter.h"
#include "bindings/python/reports.h"

namespace xet::python {

/// A progress callback of a commit or group. Empty for None.
class ProgressCallback {
 public:
  ProgressCallback(nb::object callback, bool is_upload);
  /// For the library, which calls it from a thread of its own. What the callback raises is printed, and ends
  /// the calls.
  ProgressReports reports(std::chrono::milliseconds interval) const;
  /// The last call, on the caller's thread.
  void call_last(const Progress& progress, const std::vector<ItemProgress>& items) const;

 private:
  static bool call(const SharedObject& callback, bool is_upload, const Progress& progress,
                   const std::vector<ItemProgress>& items);

  SharedObject callback_;
  bool is_upload_;
};

}  // namespace xet::python
