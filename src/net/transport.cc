#include "net/transport.h"

#include <algorithm>

namespace xet::net {

bool same_header_name(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

std::optional<std::string_view> find_header(const Headers& headers, std::string_view name) {
  const auto found =
      std::ranges::find_if(headers, [&](const Header& h) { return same_header_name(h.name, name); });
  if (found == headers.end()) return std::nullopt;
  return found->value;
}

}  // namespace xet::net
