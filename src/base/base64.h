#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace xet {

/// RFC 4648 section 5 without padding: safe in headers, paths and queries.
std::string to_base64url(ByteSpan bytes);
void append_base64url(std::string& out, ByteSpan bytes);

/// nullopt for anything that to_base64url() does not write: padding, other characters, an impossible length,
/// and bits behind the last byte that are not zero. So each byte string has one text.
std::optional<ByteVector> from_base64url(std::string_view text);

/// RFC 4648 section 4, with padding.
std::string to_base64(ByteSpan bytes);
/// The reverse, with or without the padding. nullopt for anything else.
std::optional<ByteVector> from_base64(std::string_view text);

}  // namespace xet
