#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "xet/config.h"
#include "xet/result.h"

namespace xet::config {

/// The text forms of settings, as the genuine client reads them. Each fails with kInvalidArgument and a
/// message that is the genuine one where programs can see that; the caller knows the name to complain about.

/// Decimal digits with an optional leading '+', nothing around them.
Result<uint64_t> parse_count(std::string_view text);
/// Decimal or exponent form, nothing around it; finite.
Result<double> parse_number(std::string_view text);
/// "1 true yes y on" and "0 false no n off", in any case, blanks around them dropped.
Result<bool> parse_bool(std::string_view text);
/// A number (fraction and exponent allowed), blanks, and b, kb … pb (powers of 1000), kib … pib (powers of
/// 1024) or nothing, in any case. Rounded to the nearest byte; negative is 0, too large is 2^64 - 1.
Result<uint64_t> parse_bytes(std::string_view text);
/// A sequence of numbers with units ("2m 30s", "1.5s", "250ms"); only a lone "0" may go without. Case
/// matters: m is a minute, M a month. Not finer than a nanosecond. What does not fit is as long as fits.
Result<std::chrono::nanoseconds> parse_duration(std::string_view text);

/// Text in the form of the field's kind; not blank text for an optional field, which is a question of the
/// caller.
Result<Config::Value> parse_value(const Config::Field& field, std::string_view text);

/// A value of a type that the field accepts, text apart, brought into its range; a float of 32 bits is
/// rounded.
Result<Config::Value> fit_value(const Config::Field& field, Config::Value value);

/// Without blanks at both ends.
std::string_view trimmed(std::string_view text);

}  // namespace xet::config
