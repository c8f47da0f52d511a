#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace xet::cli {

/// One event of --json output, built field by field in the order given:
/// `JsonLine("chunk").add("offset", uint64_t{0}).text()` is `{"event":"chunk","offset":0}`. Field names are
/// ours and need no escaping; values get it.
class JsonLine {
 public:
  explicit JsonLine(std::string_view event);

  JsonLine& add(std::string_view field, std::string_view value);
  JsonLine& add(std::string_view field, const char* value) { return add(field, std::string_view(value)); }
  template <std::integral T>
  JsonLine& add(std::string_view field, T value) {
    if constexpr (std::same_as<T, bool>) {
      return add_raw(field, value ? "true" : "false");
    } else {
      return add_raw(field, std::to_string(value));
    }
  }
  JsonLine& add(std::string_view field, double value);  ///< six digits after the point
  JsonLine& add_null(std::string_view field) { return add_raw(field, "null"); }
  /// The name as "path" when it is UTF-8, else percent-encoded as "path_bytes".
  JsonLine& add_path(std::string_view name);

  /// The finished line, without newline.
  std::string text() const { return text_ + "}"; }

 private:
  JsonLine& add_raw(std::string_view field, std::string_view json);
  std::string text_;
};

}  // namespace xet::cli
