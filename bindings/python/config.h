#pragma once

#include <nanobind/nanobind.h>

#include <string>

#include "xet/config.h"

namespace xet::python {

namespace nb = nanobind;

void bind_config(nb::module_& module);

/// All fields and their values, as the repr of a session shows them.
std::string shown(const Config& config);

}  // namespace xet::python
