#pragma once

#include <nanobind/nanobind.h>

namespace xet::python {

namespace nb = nanobind;

/// XetSession, and in the order of the methods that make them: commits, downloads, streams.
void bind_session(nb::module_& module);
void bind_uploads(nb::module_& module);
void bind_downloads(nb::module_& module);
void bind_streams(nb::module_& module);
/// The functions of before 1.5.
void bind_legacy(nb::module_& module);

}  // namespace xet::python
