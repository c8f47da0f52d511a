#pragma once

#include <span>
#include <string_view>

#include "base/bytes.h"

namespace xet::codec {

/// Byte grouping of scheme 2 (docs/format/compression.md): all bytes at positions 0 modulo 4, then those at
/// 1, 2 and 3. The bytes of numbers that are alike (exponents, high bytes) come to lie side by side.

/// `out` and `in` have the same size and do not overlap.
void group_bytes(ByteSpan in, MutableByteSpan out);
/// The inverse.
void regroup_bytes(ByteSpan in, MutableByteSpan out);

/// One implementation of both directions. All give the same bytes. Pure; any thread.
struct ByteGroupingKernel {
  std::string_view name;
  bool (*supported)();
  void (*group)(ByteSpan in, MutableByteSpan out);
  void (*regroup)(ByteSpan in, MutableByteSpan out);
};

/// All kernels, best first; the last one is portable and supported everywhere.
std::span<const ByteGroupingKernel> byte_grouping_kernels();

}  // namespace xet::codec
