#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "xet/result.h"

namespace xet::http {

/// Where a server listens.
struct ListenAddress {
  std::string host;  ///< numeric; empty: every address of the machine
  uint16_t port = 0;
  bool is_loopback = false;  ///< only this machine can connect

  /// "127.0.0.1:80", "[::1]:80", "localhost:80", ":80"; kInvalidArgument for anything else, names too.
  static Result<ListenAddress> parse(std::string_view text);
};

/// "https://cas.example.org/prefix": without slash at the end. kInvalidArgument unless it is http or https,
/// a host with perhaps a port, and perhaps a path of harmless characters.
Result<std::string> parse_public_url(std::string_view text);

/// Whether the value of a Host header is a host with perhaps a port, and so may be printed into a URL.
bool is_valid_host(std::string_view host);

}  // namespace xet::http
