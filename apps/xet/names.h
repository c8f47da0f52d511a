#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace xet::cli {

/// File names are bytes. These functions carry them through text and JSON without loss.

/// Puts `name` into a line the way sha256sum does: when it holds a newline, a carriage return or a backslash,
/// those are written as \n, \r and \\ and `starts_escaped` asks for a backslash at the start of the line.
struct EscapedName {
  std::string text;
  bool starts_escaped = false;
};
EscapedName escape_name(std::string_view name);

/// `text` with control characters written as \n, \t or \xNN, so that a message stays one line and cannot
/// steer a terminal.
std::string one_line(std::string_view text);

/// `text` as a JSON string with its quotes; bytes that are not UTF-8 become U+FFFD.
std::string json_string(std::string_view text);

}  // namespace xet::cli
