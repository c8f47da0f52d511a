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

/// The same for what people write in other languages: bytes beyond ASCII may be there, of which it is not
/// known that they are UTF-8.
std::optional<std::string> decode_percent_utf8(std::string_view text);

/// The segments of a path, still encoded. kInvalidArgument when it does not begin with a slash.
Result<std::vector<std::string_view>> split_path(std::string_view path);
/// A segment as it is meant; nullopt for what has no place in a path: see decode_percent, and empty segments,
/// "." and "..", however they are written, and those that decode to something with a slash.
std::optional<std::string> decode_segment(std::string_view segment);

/// The decoded values of a query parameter, by its decoded name, in order. kInvalidArgument when one cannot
/// be decoded.
Result<std::vector<std::string>> query_values(std::string_view query, std::string_view name);
/// The same for a form, in a body or a query: '+' is a space, and text may be beyond ASCII.
Result<std::vector<std::string>> form_values(std::string_view form, std::string_view name);

}  // namespace xet::http
