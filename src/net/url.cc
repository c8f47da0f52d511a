#include "net/url.h"

#include <algorithm>

namespace xet::net {

namespace {
// Where the authority begins and ends; both npos when there is none.
struct Authority {
  size_t begin = std::string_view::npos;
  size_t end = std::string_view::npos;
};

Authority authority_of(std::string_view url) {
  const size_t slashes = url.find("//");
  if (slashes == std::string_view::npos || slashes > url.find_first_of("/?#")) return {};
  const size_t begin = slashes + 2;
  return {begin, std::min(url.find_first_of("/?#", begin), url.size())};
}
}  // namespace

std::string_view host_of(std::string_view url) {
  const auto [begin, end] = authority_of(url);
  if (begin == std::string_view::npos) return {};
  const std::string_view authority = url.substr(begin, end - begin);
  const size_t at = authority.rfind('@');
  return at == std::string_view::npos ? authority : authority.substr(at + 1);
}

std::string without_secrets(std::string_view url) {
  const auto [begin, end] = authority_of(url);
  if (begin == std::string_view::npos) return std::string(url.substr(0, url.find_first_of("?#")));
  std::string out(url.substr(0, begin));
  out += host_of(url);
  const std::string_view rest = url.substr(end);
  out += rest.substr(0, rest.find_first_of("?#"));
  return out;
}

std::string percent_encode_segment(std::string_view text) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    if (plain) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  }
  return out;
}

}  // namespace xet::net
