#include "bindings/python/held.h"

#include <fmt/format.h>

namespace xet::python {

void raise_other_process(pid_t made_in) {
  raise_runtime_error(
      fmt::format("Wrong runtime mode: Invalid runtime: the session was created in process {} but is being "
                  "used in process {}",
                  made_in, ::getpid()));
}

}  // namespace xet::python
