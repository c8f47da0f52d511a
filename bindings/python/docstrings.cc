#include "bindings/python/docstrings.h"

#include <algorithm>
#include <iterator>

#include "base/check.h"

namespace xet::python {

namespace {

struct Docstring {
  std::string_view name;
  const char* text;
};

// By name. The build makes them from the stubs.
constexpr Docstring kDocstrings[] = {
#include "docstrings.inc"
};

}  // namespace

const char* docstring_of(const std::string& name) {
  const auto* const found = std::ranges::lower_bound(kDocstrings, name, {}, &Docstring::name);
  XET_CHECK(found != std::end(kDocstrings) && found->name == name);
  return found->text;
}

}  // namespace xet::python
