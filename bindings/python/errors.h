#pragma once

#include <nanobind/nanobind.h>

#include <string>

#include "xet/result.h"

namespace xet::python {

namespace nb = nanobind;

/// Adds the exception classes of the module.
void bind_errors(nb::module_& module);

/// What a caller reads of an error: the beginning that its kind has in the genuine module, and the message.
std::string text_of(const Error& error);

/// Raises the exception that the kind of the error has. All need the GIL.
[[noreturn]] void raise(const Error& error);
/// The same for a download, where callers expect a RuntimeError with "Task error: ": it is that, and an
/// instance of the class of its kind as well.
[[noreturn]] void raise_task(const Error& error);
[[noreturn]] void raise_runtime_error(const std::string& text);
/// What a session that was interrupted answers.
[[noreturn]] void raise_interrupted();

/// Value of a Result, or its error raised.
template <class T>
T checked(Result<T> result) {
  if (!result) raise(result.error());
  return std::move(*result);
}
inline void checked(const Status& status) {
  if (!status) raise(status.error());
}

}  // namespace xet::python
