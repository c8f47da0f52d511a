#pragma once

#include <string>
#include <string_view>

namespace xet::net {

/// The URL for people: without user, query and fragment, which may hold secrets.
std::string without_secrets(std::string_view url);

/// "host" or "host:port" as it stands in the URL, without user; empty when there is no "//".
std::string_view host_of(std::string_view url);

/// One path segment: everything but A-Z a-z 0-9 - _ . ~ becomes %XX.
std::string percent_encode_segment(std::string_view text);

}  // namespace xet::net
