#include "server/http/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace xet::http {

namespace {

constexpr size_t kMaxHost = 255;

bool is_alnum(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::optional<uint16_t> parse_port(std::string_view text) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return port;
}

struct HostPort {
  std::string_view host;
  std::optional<std::string_view> port;
};

/// Cuts "host:port", "[v6]:port" and their forms without port; nullopt when the brackets are wrong, and for a
/// NUL, at which inet_pton() would stop.
std::optional<HostPort> cut(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    HostPort out{.host = text.substr(1, end - 1), .port = std::nullopt};
    const auto rest = text.substr(end + 1);
    if (rest.empty()) return out;
    if (rest[0] != ':') return std::nullopt;
    out.port = rest.substr(1);
    return out;
  }
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return HostPort{.host = text, .port = std::nullopt};
  return HostPort{.host = text.substr(0, colon), .port = text.substr(colon + 1)};
}

std::optional<in6_addr> parse_v6(const std::string& host) {
  in6_addr address{};
  if (inet_pton(AF_INET6, host.c_str(), &address) != 1) return std::nullopt;
  return address;
}

}  // namespace

Result<ListenAddress> ListenAddress::parse(std::string_view text) {
  const auto refused = [&] {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("'{}' is no address to listen on; it has to look like 127.0.0.1:8080, [::1]:8080 "
                            "or :8080",
                            text));
  };
  const auto parts = cut(text);
  if (!parts || !parts->port) return refused();
  const auto port = parse_port(*parts->port);
  if (!port) return refused();
  ListenAddress out{.host = std::string(parts->host), .port = *port};
  if (out.host == "localhost") out.host = "127.0.0.1";
  if (text.starts_with('[')) {
    const auto address = parse_v6(out.host);
    if (!address) return refused();
    out.is_loopback = IN6_IS_ADDR_LOOPBACK(&*address);
    return out;
  }
  if (out.host.empty()) return out;
  in_addr address{};
  if (inet_pton(AF_INET, out.host.c_str(), &address) != 1) return refused();
  out.is_loopback = (ntohl(address.s_addr) >> 24) == 127;
  return out;
}

bool is_valid_host(std::string_view host) {
  if (host.empty() || host.size() > kMaxHost) return false;
  const auto parts = cut(host);
  if (!parts || parts->host.empty()) return false;
  if (parts->port && !parse_port(*parts->port)) return false;
  if (host.starts_with('[')) return parse_v6(std::string(parts->host)).has_value();
  return std::ranges::all_of(parts->host,
                             [](char c) { return is_alnum(c) || c == '.' || c == '-' || c == '_'; });
}

Result<std::string> parse_public_url(std::string_view text) {
  const auto refused = [&](std::string_view why) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("the public URL '{}' {}", text, why));
  };
  std::string_view rest = text;
  if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    return refused("does not begin with http:// or https://");
  }
  const size_t slash = std::min(rest.find('/'), rest.size());
  if (!is_valid_host(rest.substr(0, slash))) return refused("names no host");
  const auto path = rest.substr(slash);
  // What needs no escaping anywhere; no query, for ours comes behind it.
  if (!std::ranges::all_of(path, [](char c) {
        return is_alnum(c) || c == '/' || c == '-' || c == '.' || c == '_' || c == '~';
      })) {
    return refused("has a path with unusual characters");
  }
  while (text.ends_with('/')) text.remove_suffix(1);
  return std::string(text);
}

}  // namespace xet::http
