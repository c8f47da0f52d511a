#include <nanobind/nanobind.h>

#include "bindings/python/args.h"
#include "bindings/python/config.h"
#include "bindings/python/errors.h"
#include "bindings/python/interpreter.h"
#include "bindings/python/reports.h"
#include "bindings/python/session.h"

NB_MODULE(hf_xet, module) {
  namespace nb = nanobind;
  namespace python = xet::python;
  module.doc() = "Transfers to and from Xet, the chunk-deduplicating storage of the Hugging Face Hub.";
  nb::set_leak_warnings(false);  // what lives as long as the process is no leak, and stderr is the caller's
  // Classes name the module that people import, not this part of it.
  module.attr("__name__") = "hf_xet";
  python::bind_interpreter(module);
  python::bind_errors(module);
  python::bind_sha256_markers(module);
  python::bind_reports(module);
  python::bind_config(module);
  python::bind_uploads(module);
  python::bind_downloads(module);
  python::bind_streams(module);
  python::bind_session(module);
  python::bind_legacy(module);
  module.attr("__name__") = "hf_xet.hf_xet";
}
