#include "apps/xet/json_line.h"

#include <fmt/format.h>

#include <cmath>

#include "apps/xet/names.h"
#include "base/text.h"

namespace xet::cli {

JsonLine::JsonLine(std::string_view event) : text_(fmt::format(R"({{"event":"{}")", event)) {}

JsonLine& JsonLine::add_raw(std::string_view field, std::string_view json) {
  fmt::format_to(std::back_inserter(text_), ",\"{}\":{}", field, json);
  return *this;
}

JsonLine& JsonLine::add(std::string_view field, std::string_view value) {
  return add_raw(field, json_string(value));
}

JsonLine& JsonLine::add(std::string_view field, double value) {
  return add_raw(field, std::isfinite(value) ? fmt::format("{:.6f}", value) : std::string("null"));
}

JsonLine& JsonLine::add_path(std::string_view name) {
  if (is_utf8(name)) return add("path", name);
  return add("path_bytes", percent_encode(name));
}

}  // namespace xet::cli
