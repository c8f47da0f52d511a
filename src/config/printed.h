#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace xet::config {

/// How the genuine client prints values (it is written in Rust, and these are that language's forms).

/// In quotes, with the escapes of that language: `"a\n\u{7f}"`. Bytes that are no UTF-8 become U+FFFD.
std::string debug_text(std::string_view text);
/// The fewest digits that read back as the same number: `8.0`, `0.95`, `1e-5`, `1e16`.
std::string debug_number(double value);
std::string debug_number(float value);
/// In the largest decimal unit that fits, with three decimals unless it is whole: `64MB`, `1.500kB`.
std::string debug_bytes(uint64_t bytes);
/// In the largest of s, ms, µs and ns that fits, as long as it takes: `360s`, `1.5s`, `200ms`.
std::string debug_duration(std::chrono::nanoseconds duration);

}  // namespace xet::config
