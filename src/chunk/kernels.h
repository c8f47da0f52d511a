#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/bytes.h"

namespace xet::chunk::detail {

/// The kernels behind scan_kernels(), one file each; ScanKernel says what they do.

/// One byte after the other. The chain h -> 2h + T bounds it to a byte every two cycles.
bool scan_serial(ByteSpan bytes, size_t context, size_t limit, std::vector<uint32_t>& out);

/// Several places of the segment in turn, so that their chains overlap.
bool scan_strips(ByteSpan bytes, size_t context, size_t limit, std::vector<uint32_t>& out);

}  // namespace xet::chunk::detail
