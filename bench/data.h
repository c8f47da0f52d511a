#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace xet::bench {

/// Sizes that are measured: smallest, usual and largest chunk, and a xorb.
inline constexpr size_t kChunkSizes[] = {size_t{8} << 10, size_t{64} << 10, size_t{128} << 10};
inline constexpr size_t kLargeSize = size_t{64} << 20;

/// random: nothing to find. text: compresses well. bf16: weights, two bytes each. bf16_grouped: the same
/// after byte grouping, which is what LZ4 sees of them.
inline constexpr std::string_view kDataSets[] = {"random", "text", "bf16", "bf16_grouped"};

/// `n` bytes of a data set, the same in every run. Made at the first call and kept; the first call for a
/// large size takes seconds. Not thread-safe.
ByteSpan data_set(std::string_view name, size_t n);

/// "lz4_compress/bf16/64KiB"
std::string bench_name(std::string_view what, std::string_view data, size_t n);

}  // namespace xet::bench
