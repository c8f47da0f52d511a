#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cas/cas.h"

namespace xet::cas {

/// The value of a `Range` header for bytes that are not empty: "bytes=0-99" for [0, 100).
std::string range_value(const ByteRange& range);

/// A `Content-Range` header of an answer with bytes.
struct ContentRange {
  ByteRange bytes;                ///< never empty
  std::optional<uint64_t> total;  ///< length of the whole object, unless it is "*"; at least bytes.end
};

/// "bytes 0-99/1234" or "bytes 0-99/*"; nullopt for anything else.
std::optional<ContentRange> parse_content_range(std::string_view value);

/// A decimal number without sign, as in `Content-Length`; nullopt when it is none or has more than 64 bits.
std::optional<uint64_t> parse_decimal(std::string_view digits);

}  // namespace xet::cas
