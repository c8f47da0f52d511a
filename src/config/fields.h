#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "xet/config.h"

namespace xet::config {

/// A default that grows with the memory of the machine: `1 / divisor` of it, twice that in high-performance
/// mode, between bounds.
struct MemoryShare {
  uint64_t divisor = 1;
  uint64_t least_bytes = 0;
  uint64_t most_bytes = 0;
};

/// One line of the table: all there is to say of a field.
struct Row {
  Config::Field field;
  std::string_view preset;            ///< the default, in text form; blank for an optional field: none
  std::string_view high_performance;  ///< its value in that mode; empty: the same
  std::array<std::string_view, 2>
      aliases;                       ///< older variables, without HF_XET_, the first that is set counts
  std::optional<MemoryShare> share;  ///< instead of the two values, where the memory is known
};

/// In the order of Config::fields().
std::span<const Row> rows();

/// What begins `Field::effect` of a field without any; the reason follows.
constexpr std::string_view kNoEffect = "none: ";

/// A variable of the family that belongs to no field.
struct OtherVariable {
  std::string_view name;                ///< without HF_XET_
  std::string_view why_without_effect;  ///< empty: it is read
};
std::span<const OtherVariable> other_variables();

/// The value of `share` on a machine with that much memory for this process.
uint64_t memory_share(const MemoryShare& share, uint64_t memory_bytes, bool high_performance);

}  // namespace xet::config
