#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace xet::net {

/// Parses a date of an HTTP header in any of its three forms, to the letter: "Sun, 06 Nov 1994 08:49:37 GMT",
/// "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994". A year of two digits that would be more than
/// 50 years after `now` belongs to the century before. nullopt for anything else, and for a date that there
/// is not; whether the day of the week is right is not checked.
std::optional<std::chrono::sys_seconds> parse_http_date(std::string_view text,
                                                        std::chrono::system_clock::time_point now);

}  // namespace xet::net
