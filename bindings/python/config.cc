#include "bindings/python/config.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "bindings/python/args.h"
#include "bindings/python/docstrings.h"
#include "bindings/python/errors.h"

namespace xet::python {

namespace {

using nb::literals::operator""_a;
using Value = Config::Value;
using Kind = Config::Kind;

/// Items of a configuration, one by one.
struct ConfigItems {
  Config config;
  size_t next = 0;
};

nb::object timedelta_type() {
  return nb::module_::import_("datetime").attr("timedelta");
}

nb::object value_object(const Value& value) {
  struct Visitor {
    nb::object operator()(std::monostate) const { return nb::none(); }
    nb::object operator()(bool flag) const { return nb::bool_(flag); }
    nb::object operator()(uint64_t count) const { return nb::int_(count); }
    nb::object operator()(double number) const { return nb::float_(number); }
    nb::object operator()(const std::string& content) const { return text(content); }
    nb::object operator()(std::chrono::nanoseconds duration) const {
      const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
      return timedelta_type()("microseconds"_a = micros);
    }
  };
  return std::visit(Visitor(), value);
}

double to_number(nb::handle value) {
  const double out = PyFloat_AsDouble(value.ptr());
  if (out == -1.0 && PyErr_Occurred() != nullptr) throw nb::python_error();
  return out;
}

std::chrono::nanoseconds to_duration(nb::handle value) {
  if (!nb::isinstance(value, timedelta_type())) raise_not_instance(value, "timedelta");
  const auto whole =
      nb::cast<int64_t>(value.attr("days")) * 86'400 + nb::cast<int64_t>(value.attr("seconds"));
  if (whole < 0) raise_value_error("a duration cannot be negative");
  constexpr int64_t kMost = INT64_MAX / 1'000'000'000 - 1;
  return std::chrono::seconds(std::min(whole, kMost)) +
         std::chrono::microseconds(nb::cast<int64_t>(value.attr("microseconds")));
}

/// A Python value as the field takes it; what does not fit the field's kind is a TypeError.
Value to_value(const Config::Field& field, nb::handle value) {
  if (value.is_none() && field.optional) return std::monostate();
  const bool is_text = PyUnicode_Check(value.ptr());
  switch (field.kind) {
    case Kind::kInteger:
      return to_count(value);
    case Kind::kFloat:
      return to_number(value);
    case Kind::kBool:
      return to_flag(value);
    case Kind::kDuration:
      if (is_text) return to_text(value);
      return to_duration(value);
    case Kind::kBytes: {
      if (is_text) return to_text(value);
      const uint64_t count = PyLong_Check(value.ptr()) ? PyLong_AsUnsignedLongLong(value.ptr()) : UINT64_MAX;
      if (count == UINT64_MAX && (PyErr_Occurred() != nullptr || !PyLong_Check(value.ptr()))) {
        PyErr_Clear();
        raise_type_error("Expected int (bytes) or string (e.g. '8mb')");
      }
      return count;
    }
    case Kind::kText:
    case Kind::kChoice:
    case Kind::kPath:
      break;
  }
  return to_text(value);
}

[[noreturn]] void raise_config_error(const Error& error) {
  raise_value_error(error.message);
}

Config with_value(const Config& config, const std::string& path, nb::handle value) {
  const auto field = Config::field(path);
  if (!field) raise_config_error(field.error());
  auto out = config.with(path, to_value(**field, value));
  if (!out) raise_config_error(out.error());
  return *std::move(out);
}

Config with_config(const Config& self, const nb::object& name_or_dict, const nb::object& value) {
  if (PyDict_Check(name_or_dict.ptr())) {
    if (!value.is_none()) raise_type_error("with_config(dict) does not accept a second argument");
    Config out = self;
    for (const auto& [name, item] : nb::borrow<nb::dict>(name_or_dict))
      out = with_value(out, to_text(name), item);
    return out;
  }
  if (!PyUnicode_Check(name_or_dict.ptr())) raise_not_instance(name_or_dict, "str");
  const auto path = to_text(name_or_dict);
  if (value.is_none()) raise_type_error("with_config(name, value) requires a value argument");
  return with_value(self, path, value);
}

nb::object item(const Config& config, const Config::Field& field) {
  return nb::make_tuple(text(field.path()), value_object(config.get(field)));
}

}  // namespace

std::string shown(const Config& config) {
  std::string out;
  for (const auto& field : Config::fields()) {
    if (!out.empty()) out += ", ";
    out +=
        fmt::format("{}={}", field.path(), nb::cast<std::string>(nb::repr(value_object(config.get(field)))));
  }
  return "{" + out + "}";
}

void bind_config(nb::module_& module) {
  Documented<ConfigItems>(module, "PyXetConfigIter", nb::is_final())
      .def("__iter__", [](const nb::object& self) { return self; })
      .def("__next__", [](ConfigItems& self) {
        if (self.next == Config::fields().size()) throw nb::stop_iteration();
        return item(self.config, Config::fields()[self.next++]);
      });

  Documented<Config>(module, "XetConfig", nb::is_final())
      .def("__init__", [](Config* self) { new (self) Config(Config::from_environment()); })
      .def("with_config", with_config, "name_or_dict"_a.none(), "value"_a = nb::none())
      .def(
          "get",
          [](const Config& self, const nb::object& path) {
            const auto value = self.get(to_text(path));
            if (!value) raise_config_error(value.error());
            return value_object(*value);
          },
          "path"_a.none())
      .def(
          "__getitem__",
          [](const Config& self, const nb::object& path) {
            const auto value = self.get(to_text(path));
            if (value) return value_object(*value);
            PyErr_SetObject(PyExc_KeyError, path.ptr());
            throw nb::python_error();
          },
          "path"_a.none())
      .def("keys",
           [](const Config& /*self*/) {
             nb::list out;
             for (const auto& field : Config::fields()) out.append(text(field.path()));
             return out;
           })
      .def("items",
           [](const Config& self) {
             nb::list out;
             for (const auto& field : Config::fields()) out.append(item(self, field));
             return out;
           })
      .def("__len__", [](const Config& /*self*/) { return Config::fields().size(); })
      .def("__iter__", [](const Config& self) { return ConfigItems{self, 0}; })
      .def("__repr__", [](const Config& self) { return fmt::format("XetConfig({})", self.to_string()); })
      .def("__str__", [](const Config& self) { return self.to_string(); });
}

}  // namespace xet::python
