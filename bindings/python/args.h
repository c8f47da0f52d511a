#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>  // wherever text is a result

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "xet/upload.h"

namespace xet::python {

namespace nb = nanobind;

// What callers pass, checked as the genuine module checks it: a wrong type is a TypeError that names both
// types, a number out of range an OverflowError. All need the GIL and throw nb::python_error.

[[noreturn]] void raise_type_error(const std::string& text);
[[noreturn]] void raise_value_error(const std::string& text);
[[noreturn]] void raise_not_instance(nb::handle value, const char* type);

/// The C++ object inside one of the module's own; null for anything else.
template <class T>
const T* instance_of(nb::handle value) {
  const T* out = nullptr;
  return nb::try_cast(value, out) ? out : nullptr;  // None is cast to null
}

std::string to_text(nb::handle value);
std::optional<std::string> to_optional_text(nb::handle value);
uint64_t to_count(nb::handle value);
std::optional<uint64_t> to_optional_count(nb::handle value);
bool to_flag(nb::handle value);
/// The bytes of a `bytes` object.
std::vector<std::byte> to_bytes_only(nb::handle value);
/// Bytes of anything like bytes, or of a sequence of numbers below 256.
std::vector<std::byte> to_bytes(nb::handle value);
/// The elements of a list or tuple (any sequence but text).
std::vector<nb::object> to_sequence(nb::handle value);
using Pairs = std::vector<std::pair<std::string, std::string>>;
Pairs to_pairs(nb::handle value);    ///< of a dict of text, or None
Pairs to_headers(nb::handle value);  ///< the same; ValueError for what cannot stand in a header
/// A path as the file system has it, from text.
std::filesystem::path to_path(nb::handle value);

nb::object text(const std::string& text);  ///< str from UTF-8; bytes that are none are kept as surrogates
nb::object path_text(const std::filesystem::path& path);
nb::object optional_text(const std::optional<std::string>& text);

/// The module's `sha256` arguments.
struct Sha256Choice {
  Sha256Policy policy = Sha256Policy::kCompute;
  std::optional<Sha256Digest> digest;
};
Sha256Choice to_sha256(nb::handle value);
/// The same from the text alone: what is no hash is computed.
Sha256Choice sha256_of_text(const std::string& hex);

/// Adds the two marker types and their instances.
void bind_sha256_markers(nb::module_& module);

}  // namespace xet::python
