#include "bindings/python/progress.h"

#include <utility>

namespace xet::python {

ProgressCallback::ProgressCallback(nb::object callback, bool is_upload)
    : callback_(callback.is_none() ? nullptr : share(std::move(callback))), is_upload_(is_upload) {}

ProgressReports ProgressCallback::reports(std::chrono::milliseconds interval) const {
  ProgressReports out;
  out.interval = interval;
  if (callback_ == nullptr) return out;
  out.report = [callback = callback_, is_upload = is_upload_](const Progress& progress,
                                                              const std::vector<ItemProgress>& items) {
    const AcquiredGil gil;
    return gil && call(callback, is_upload, progress, items);
  };
  return out;
}

void ProgressCallback::call_last(const Progress& progress, const std::vector<ItemProgress>& items) const {
  if (callback_ != nullptr) call(callback_, is_upload_, progress, items);
}

bool ProgressCallback::call(const SharedObject& callback, bool is_upload, const Progress& progress,
                            const std::vector<ItemProgress>& items) {
  try {
    (*callback)(GroupReport{progress, is_upload}, items_dict(items));
    return true;
  } catch (nb::python_error& error) {
    if (error.matches(PyExc_SystemExit)) {  // printing that one would end the process
      error.discard_as_unraisable(*callback);
    } else {
      error.restore();
      PyErr_Print();
    }
    return false;
  }
}

}  // namespace xet::python
