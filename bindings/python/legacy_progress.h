#pragma once

#include <nanobind/nanobind.h>

#include <map>
#include <string>
#include <vector>

#include "base/sync.h"
#include "bindings/python/interpreter.h"
#include "xet/session.h"

namespace xet::python {

/// The classes that updaters with two parameters get.
void bind_legacy_progress(nb::module_& module);

/// A progress callback in the form of before 1.5: a function of one number, the bytes done since the last
/// call, or of `total_update` and `item_updates`. What it raises is ignored. Thread-safe.
class Updater {
 public:
  /// Raises TypeError for a function of another form. None is allowed: an updater that is called for nothing.
  explicit Updater(nb::object function);
  explicit operator bool() const { return function_ != nullptr; }

  /// Tells what has changed since the last call; nothing, when nothing has. `names`: how items are called
  /// instead.
  void tell(const Progress& progress, const std::vector<ItemProgress>& items,
            const std::map<TaskId, std::string>& names);

 private:
  struct Told {
    Progress progress;
    std::map<TaskId, uint64_t> done_bytes;
  };

  SharedObject function_;
  bool takes_details_ = false;
  Sync<Told> told_;
};

}  // namespace xet::python
