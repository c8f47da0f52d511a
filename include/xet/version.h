#pragma once

#include <string_view>

namespace xet {

/// Semantic version of libxet and of the `xet` program.
inline constexpr std::string_view kVersion = "0.1.0";

}  // namespace xet
