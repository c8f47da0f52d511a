#pragma once

#include <nanobind/nanobind.h>

#include <memory>
#include <optional>

#include "xet/session.h"

namespace xet::python {

namespace nb = nanobind;

/// Whether signal handlers of Python run on this thread.
bool is_main_thread();

/// Registers with the interpreter: at its end all sessions are aborted, and calls of progress are waited for.
void bind_interpreter(nb::module_& module);
/// Every session has to be told of. Needs the GIL.
void add_session(const std::shared_ptr<Session>& session);

/// Releases the GIL for a scope. A thread that comes back when the interpreter has begun to end stays away
/// for ever: asking for the GIL then would unwind it through code that cannot be unwound.
class ReleasedGil {
 public:
  ReleasedGil();
  ~ReleasedGil();
  ReleasedGil(const ReleasedGil&) = delete;
  ReleasedGil& operator=(const ReleasedGil&) = delete;

 private:
  PyThreadState* state_;
};

/// The GIL on a thread that Python did not make. Empty when the interpreter has begun to end.
class AcquiredGil {
 public:
  AcquiredGil();
  ~AcquiredGil();
  AcquiredGil(const AcquiredGil&) = delete;
  AcquiredGil& operator=(const AcquiredGil&) = delete;
  explicit operator bool() const { return state_.has_value(); }

 private:
  std::optional<PyGILState_STATE> state_;
};

/// An object that may be let go of on any thread.
using SharedObject = std::shared_ptr<nb::object>;
SharedObject share(nb::object object);

}  // namespace xet::python
