#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace xet::chunk {

/// The rolling hash of the Xet chunker (docs/format/chunking.md): h = 2h + T[byte] in 64 bits, so a byte is
/// shifted out after 64 steps and h is a function of the last 64 bytes alone. Those 64 bytes form a trigger
/// when the top 16 bits of h are zero. Whether a trigger is a cut depends on the cuts before it; whether a
/// position is a trigger does not, which is what lets a file be scanned in pieces and in any order.

/// Bytes that decide a trigger.
inline constexpr size_t kWindow = 64;
/// Bytes before a segment that its scan needs to know about every position of the segment.
inline constexpr size_t kMaxContext = kWindow - 1;

/// The constants T, indexed by byte value.
std::span<const uint64_t, 256> gear_table();

/// h after feeding `bytes` from h = 0.
uint64_t gear_hash(ByteSpan bytes);

/// The smallest e in from..to (both included) such that the 64 bytes of `bytes` before e are a trigger;
/// to + 1 when there is none. Needs kWindow <= from and to <= bytes.size(). Serial, stops at the first.
size_t first_trigger(ByteSpan bytes, size_t from, size_t to);

/// Triggers of one segment. `dense`: there are more of them than was worth keeping, `positions` is empty and
/// whoever needs them scans again (CutResolver does).
struct Candidates {
  std::vector<uint32_t> positions;
  bool dense = false;
};

/// One way of finding triggers. All kernels give the same answers.
///
/// `scan` looks at `bytes`: `context` bytes (0 to 63) that precede the segment in the file, then the segment.
/// It appends to `out`, ascending, every p in 1..segment length such that the 64 bytes before p are a
/// trigger, p counted from the start of the segment. Where fewer than 64 bytes precede p there is no trigger:
/// give all 63 bytes of context (or all there are, near the start of the file). Segments have at most
/// 2^32 - 1 bytes. With more than `limit` triggers it stops, leaves `out` as it was and returns false, so
/// that hostile input costs no memory. Pure; any thread.
struct ScanKernel {
  std::string_view name;
  bool (*supported)();
  bool (*scan)(ByteSpan bytes, size_t context, size_t limit, std::vector<uint32_t>& out);
};

/// All kernels, best first; the last one is portable and supported everywhere.
std::span<const ScanKernel> scan_kernels();
/// The first supported one, chosen at the first call.
const ScanKernel& best_scan_kernel();

/// Triggers that are kept of a segment before it counts as dense: 32 times what random data has.
constexpr size_t candidate_limit(size_t segment_bytes) {
  return segment_bytes / 2048 + 64;
}

/// scan() of `kernel` with candidate_limit().
Candidates find_candidates(ByteSpan bytes, size_t context, const ScanKernel& kernel = best_scan_kernel());

}  // namespace xet::chunk
