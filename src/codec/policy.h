#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "codec/scheme.h"

namespace xet::codec {

/// How a writer packs chunks. Whatever it says, a chunk that does not get smaller is stored as it is.
enum class Policy : uint8_t {
  kAuto,    ///< per chunk, by predict_scheme()
  kNone,    ///< never compress
  kLz4,     ///< always try LZ4
  kBg4Lz4,  ///< always try byte grouping and LZ4
};

/// "auto" or nothing, "none", "lz4", "bg4-lz4" in any letter case, blanks not removed; anything else gives
/// nullopt (the genuine client warns and goes on with auto).
std::optional<Policy> parse_policy(std::string_view text);

}  // namespace xet::codec
