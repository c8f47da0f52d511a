#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "xet/result.h"

namespace xet::http {

/// A request target taken apart, as it was sent; views of it.
struct Target {
  std::string_view path;   ///< begins with '/'
  std::string_view query;  ///< without '?'

  /// kInvalidArgument unless it is "/path?query" or a whole http URL, of characters that a URL may have.
  static Result<Target> parse(std::string_view target);
};

/// Undoes percent-encoding; nullopt for an escape that is none and for what has no place in a name, escaped
/// or not: control characters, NUL among them, and bytes beyond ASCII.
std::optional<std::string> decode_percent(std::string_view text);

/// The decoded segments of a path. kInvalidArgument for empty segments, "." and "..", however they are
/// written, and for segments that decode to something with a slash.
Result<std::vector<std::string>> decode_path(std::string_view path);

/// The decoded values of a query parameter, in order. kInvalidArgument when one cannot be decoded.
Result<std::vector<std::string>> query_values(std::string_view query, std::string_view name);

}  // namespace xet::http
