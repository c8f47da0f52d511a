#include "apps/xet/names.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace xet::cli {

EscapedName escape_name(std::string_view name) {
  EscapedName out;
  out.starts_escaped = name.find_first_of("\n\r\\") != std::string_view::npos;
  out.text.reserve(name.size());
  for (const char c : name) {
    switch (c) {
      case '\n':
        out.text += "\\n";
        break;
      case '\r':
        out.text += "\\r";
        break;
      case '\\':
        out.text += "\\\\";
        break;
      default:
        out.text += c;
    }
  }
  return out;
}

std::string one_line(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7f) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

std::string json_string(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace xet::cli
