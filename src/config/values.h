#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace xet::config {

/// The text forms of settings, as the genuine client reads them from its environment. Each gives nullopt for
/// text that is not of its form; the caller knows the name to complain about.

/// Decimal digits with an optional leading '+', nothing around them.
std::optional<uint64_t> parse_count(std::string_view text);
/// "1 true yes y on" and "0 false no n off", in any case, blanks around them dropped.
std::optional<bool> parse_bool(std::string_view text);
/// A number (fraction and exponent allowed), blanks, and b, kb … pb (powers of 1000), kib … pib (powers of
/// 1024) or nothing, in any case. Rounded to the nearest byte; negative is 0, too large is 2^64 - 1.
std::optional<uint64_t> parse_bytes(std::string_view text);
/// A sequence of numbers with units ("2m 30s", "1.5s", "250ms"); only a lone "0" may go without. Case
/// matters: m is a minute, M a month. Finer than a millisecond is rounded up, so that no wait becomes none.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

/// Without blanks at both ends.
std::string_view trimmed(std::string_view text);

}  // namespace xet::config
