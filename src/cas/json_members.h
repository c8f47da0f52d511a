#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/bytes.h"

namespace xet::cas {

/// The scalar members of a JSON object. What is nested is checked for syntax, held nowhere and not seen here.
/// A member that comes twice is an error. Plain value.
class JsonMembers {
 public:
  /// kCorruption when `text` is anything but one JSON object. `what` names it in the message.
  static Result<JsonMembers> parse(ByteSpan text, std::string_view what);

  /// kCorruption when the member is missing or of another type.
  Result<std::string> text(std::string_view name) const;
  Result<uint64_t> number(std::string_view name) const;
  Result<bool> flag(std::string_view name) const;
  bool has(std::string_view name) const { return members_.contains(name); }

 private:
  friend class JsonMembersReader;
  /// monostate: null, a fraction, a negative number, or something nested.
  using Value = std::variant<std::monostate, bool, uint64_t, std::string>;

  template <class T>
  Result<T> get(std::string_view name, std::string_view type) const;

  std::string what_;
  std::map<std::string, Value, std::less<>> members_;
};

}  // namespace xet::cas
