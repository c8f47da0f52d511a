#include "bindings/python/args.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "bindings/python/docstrings.h"

namespace xet::python {

namespace {

struct ComputeSha256 {};
struct SkipSha256 {};

bool is_header_name(const std::string& name) {
  constexpr std::string_view kAlso = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::all_of(name.begin(), name.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kAlso.find(c) != std::string_view::npos;
  });
}

bool is_header_value(const std::string& value) {
  return std::all_of(value.begin(), value.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
  });
}

std::string class_name(nb::handle value) {
  return value.is_none() ? "None" : nb::cast<std::string>(value.type().attr("__qualname__"));
}

}  // namespace

void raise_type_error(const std::string& text) {
  PyErr_SetString(PyExc_TypeError, text.c_str());
  throw nb::python_error();
}

void raise_value_error(const std::string& text) {
  PyErr_SetString(PyExc_ValueError, text.c_str());
  throw nb::python_error();
}

void raise_not_instance(nb::handle value, const char* type) {
  raise_type_error(fmt::format("'{}' object is not an instance of '{}'", class_name(value), type));
}

std::string to_text(nb::handle value) {
  if (!PyUnicode_Check(value.ptr())) raise_not_instance(value, "str");
  Py_ssize_t size = 0;
  const char* utf8 = PyUnicode_AsUTF8AndSize(value.ptr(), &size);
  if (utf8 == nullptr) throw nb::python_error();
  return {utf8, static_cast<size_t>(size)};
}

std::optional<std::string> to_optional_text(nb::handle value) {
  if (value.is_none()) return std::nullopt;
  return to_text(value);
}

uint64_t to_count(nb::handle value) {
  const auto index = nb::steal(PyNumber_Index(value.ptr()));
  if (!index.is_valid()) throw nb::python_error();
  const uint64_t out = PyLong_AsUnsignedLongLong(index.ptr());
  if (out == UINT64_MAX && PyErr_Occurred() != nullptr) throw nb::python_error();
  return out;
}

std::optional<uint64_t> to_optional_count(nb::handle value) {
  if (value.is_none()) return std::nullopt;
  return to_count(value);
}

bool to_flag(nb::handle value) {
  if (!PyBool_Check(value.ptr())) raise_not_instance(value, "bool");
  return value.ptr() == Py_True;
}

std::vector<std::byte> to_bytes_only(nb::handle value) {
  if (!PyBytes_Check(value.ptr())) raise_not_instance(value, "bytes");
  char* data = nullptr;
  Py_ssize_t size = 0;
  if (PyBytes_AsStringAndSize(value.ptr(), &data, &size) != 0) throw nb::python_error();
  const auto* begin = reinterpret_cast<const std::byte*>(data);
  return {begin, begin + size};
}

std::vector<std::byte> to_bytes(nb::handle value) {
  if (PyBytes_Check(value.ptr())) return to_bytes_only(value);
  // Whatever shows its memory; `bytes()` copes with strides and formats. Numbers are taken one by one: of an
  // array of wider ones the values count, not their bytes.
  const auto types = nb::make_tuple(nb::borrow(reinterpret_cast<PyObject*>(&PyByteArray_Type)),
                                    nb::borrow(reinterpret_cast<PyObject*>(&PyMemoryView_Type)));
  const int is_memory = PyObject_IsInstance(value.ptr(), types.ptr());
  if (is_memory < 0) throw nb::python_error();
  if (is_memory == 1) {
    const auto copy = nb::steal(PyBytes_FromObject(value.ptr()));
    if (!copy.is_valid()) throw nb::python_error();
    return to_bytes_only(copy);
  }
  if (PyUnicode_Check(value.ptr())) raise_type_error("Can't extract `str` to `Vec`");
  std::vector<std::byte> out;
  for (const auto& item : to_sequence(value)) {
    const uint64_t number = to_count(item);
    if (number > 255) {
      PyErr_SetString(PyExc_OverflowError, "number too large to fit in target type");
      throw nb::python_error();
    }
    out.push_back(static_cast<std::byte>(number));
  }
  return out;
}

std::vector<nb::object> to_sequence(nb::handle value) {
  if (PyUnicode_Check(value.ptr())) raise_type_error("Can't extract `str` to `Vec`");
  const bool is_sequence = PySequence_Check(value.ptr()) != 0 && !PyDict_Check(value.ptr());
  if (!is_sequence) raise_not_instance(value, "Sequence");
  const Py_ssize_t size = PySequence_Size(value.ptr());
  if (size < 0) throw nb::python_error();
  std::vector<nb::object> out;
  out.reserve(static_cast<size_t>(size));
  for (Py_ssize_t i = 0; i < size; ++i) {
    auto item = nb::steal(PySequence_GetItem(value.ptr(), i));
    if (!item.is_valid()) throw nb::python_error();
    out.push_back(std::move(item));
  }
  return out;
}

Pairs to_pairs(nb::handle value) {
  Pairs out;
  if (value.is_none()) return out;
  if (!PyDict_Check(value.ptr())) raise_not_instance(value, "dict");
  PyObject* key = nullptr;
  PyObject* item = nullptr;
  Py_ssize_t position = 0;
  while (PyDict_Next(value.ptr(), &position, &key, &item) != 0) {
    auto name = to_text(key);
    out.emplace_back(std::move(name), to_text(item));
  }
  return out;
}

Pairs to_headers(nb::handle value) {
  auto out = to_pairs(value);
  for (const auto& [name, content] : out) {
    if (!is_header_name(name))
      raise_value_error(fmt::format("Invalid header name '{}': invalid HTTP header name", name));
    if (!is_header_value(content))
      raise_value_error(fmt::format("Invalid header value for '{}': failed to parse header value", name));
  }
  return out;
}

std::filesystem::path to_path(nb::handle value) {
  return to_text(value);
}

nb::object text(const std::string& utf8) {
  auto out =
      nb::steal(PyUnicode_DecodeUTF8(utf8.data(), static_cast<Py_ssize_t>(utf8.size()), "surrogateescape"));
  if (!out.is_valid()) throw nb::python_error();
  return out;
}

nb::object path_text(const std::filesystem::path& path) {
  return text(path.string());
}

nb::object optional_text(const std::optional<std::string>& value) {
  return value ? text(*value) : nb::none();
}

Sha256Choice sha256_of_text(const std::string& hex) {
  const auto digest = Sha256Digest::from_hex(hex);
  if (!digest) return {};
  return {Sha256Policy::kProvided, digest};
}

Sha256Choice to_sha256(nb::handle value) {
  if (value.is_none() || nb::isinstance<ComputeSha256>(value)) return {};
  if (nb::isinstance<SkipSha256>(value)) return {Sha256Policy::kSkip, std::nullopt};
  if (!PyUnicode_Check(value.ptr())) raise_type_error("sha256 must be a str, COMPUTE_SHA256, or SKIP_SHA256");
  return sha256_of_text(to_text(value));
}

void bind_sha256_markers(nb::module_& module) {
  Documented<ComputeSha256>(module, "_ComputeSha256Type", nb::is_final())
      .def("__repr__", [](const ComputeSha256&) { return "COMPUTE_SHA256"; });
  Documented<SkipSha256>(module, "_SkipSha256Type", nb::is_final()).def("__repr__", [](const SkipSha256&) {
    return "SKIP_SHA256";
  });
  module.attr("COMPUTE_SHA256") = nb::cast(ComputeSha256());
  module.attr("SKIP_SHA256") = nb::cast(SkipSha256());
}

}  // namespace xet::python
