#include "bindings/python/errors.h"

#include <fmt/format.h>
#include <nanobind/stl/string.h>

#include <map>

#include "bindings/python/docstrings.h"

namespace xet::python {

namespace {

// Made when the module is, and never freed: exceptions may be raised until the interpreter ends.
PyObject* authentication_error = nullptr;
PyObject* object_not_found_error = nullptr;
std::map<PyObject*, PyObject*>* task_errors = nullptr;  // class -> the same that is a RuntimeError too

struct Kind {
  PyObject* type;
  const char* beginning;
};

Kind kind_of(const Error& error) {
  const int status = error.http_status;
  switch (error.code) {
    case ErrorCode::kInvalidArgument:
      return {PyExc_ValueError, "Configuration error: "};
    case ErrorCode::kNotFound:
      return {object_not_found_error, "Not found: "};
    case ErrorCode::kCorruption:
      return {PyExc_RuntimeError, "Data integrity error: "};
    case ErrorCode::kUnauthorized:
      return {authentication_error, "Authentication error: "};
    case ErrorCode::kDeadline:
      return {PyExc_TimeoutError, "Timeout: "};
    case ErrorCode::kUnavailable:
      if (error.timed_out) return {PyExc_TimeoutError, "Timeout: "};
      [[fallthrough]];
    case ErrorCode::kRefused:
      if (status == 429) return {PyExc_ConnectionError, "Rate limited: "};
      if (status >= 500) return {PyExc_ConnectionError, "Server error: "};
      return {PyExc_ConnectionError, "Network error: "};
    case ErrorCode::kCancelled:
      return {PyExc_RuntimeError, "User cancelled: "};
    case ErrorCode::kIo:
    case ErrorCode::kNoSpace:
      return {PyExc_OSError, "I/O error: "};
    case ErrorCode::kAlreadyDone:
      return {PyExc_RuntimeError, "Already completed: "};
    case ErrorCode::kInternal:
      break;
  }
  return {PyExc_RuntimeError, "Internal error: "};
}

PyObject* make_class(const char* name, PyObject* bases, const char* doc) {
  PyObject* out = PyErr_NewExceptionWithDoc(name, doc, bases, nullptr);
  if (out == nullptr) throw nb::python_error();
  return out;
}

[[noreturn]] void raise(PyObject* type, const std::string& text) {
  // One argument: with two, an OSError would take the first for errno.
  const auto message =
      nb::steal(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "surrogateescape"));
  if (message.is_valid()) PyErr_SetObject(type, message.ptr());
  throw nb::python_error();
}

}  // namespace

void bind_errors(nb::module_& module) {
  authentication_error = make_class("hf_xet.XetAuthenticationError", PyExc_PermissionError,
                                    docstring_of("XetAuthenticationError"));
  object_not_found_error = make_class("hf_xet.XetObjectNotFoundError", PyExc_FileNotFoundError,
                                      docstring_of("XetObjectNotFoundError"));
  module.attr("XetAuthenticationError") = nb::borrow(authentication_error);
  module.attr("XetObjectNotFoundError") = nb::borrow(object_not_found_error);

  task_errors = new std::map<PyObject*, PyObject*>();
  for (PyObject* type : {authentication_error, object_not_found_error, PyExc_ConnectionError,
                         PyExc_TimeoutError, PyExc_OSError, PyExc_ValueError}) {
    const auto name = nb::cast<std::string>(nb::borrow(type).attr("__name__"));
    const auto bases = nb::make_tuple(nb::borrow(type), nb::borrow(PyExc_RuntimeError));
    (*task_errors)[type] = make_class(fmt::format("hf_xet.{}InTask", name).c_str(), bases.ptr(),
                                      "A file of a group failed with this.");
  }
}

std::string text_of(const Error& error) {
  if (error.code == ErrorCode::kAlreadyDone) return "Already completed";
  return kind_of(error).beginning + error.message;
}

void raise(const Error& error) {
  raise(kind_of(error).type, text_of(error));
}

void raise_task(const Error& error) {
  if (error.code == ErrorCode::kCancelled) raise(error);
  const auto both = task_errors->find(kind_of(error).type);
  raise(both == task_errors->end() ? PyExc_RuntimeError : both->second, "Task error: " + text_of(error));
}

void raise_runtime_error(const std::string& text) {
  raise(PyExc_RuntimeError, text);
}

void raise_interrupted() {
  raise(PyExc_KeyboardInterrupt, "Keyboard interrupt (SIGINT)");
}

}  // namespace xet::python
