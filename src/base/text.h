#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace xet {

/// Strict: no surrogates, no overlong forms, nothing above U+10FFFF.
bool is_utf8(std::string_view text);

/// The value of 0-9, a-f, A-F; nullopt for everything else.
std::optional<unsigned> hex_digit(char c);

/// Every byte but A-Z a-z 0-9 - . _ ~ / as %XX.
std::string percent_encode(std::string_view bytes);
/// The reverse. nullopt when a '%' is not followed by two hex digits.
std::optional<std::string> percent_decode(std::string_view text);

}  // namespace xet
