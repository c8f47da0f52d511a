#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace xet {

/// Strict: no surrogates, no overlong forms, nothing above U+10FFFF.
bool is_utf8(std::string_view text);

/// Two digits for each byte, lower case.
std::string to_hex(ByteSpan bytes);
/// The reverse, of either case. False, and `out` worth nothing, unless `hex` has exactly two digits for each
/// byte of `out`.
bool from_hex(std::string_view hex, MutableByteSpan out);

/// Every byte but A-Z a-z 0-9 - . _ ~ / as %XX.
std::string percent_encode(std::string_view bytes);
/// The reverse. nullopt when a '%' is not followed by two hex digits.
std::optional<std::string> percent_decode(std::string_view text);

}  // namespace xet
