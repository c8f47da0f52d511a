#include "chunk/gear.h"

#include <iterator>

#include "base/check.h"
#include "chunk/gear_step.h"
#include "chunk/kernels.h"

namespace xet::chunk {

namespace {

bool always() {
  return true;
}

constexpr ScanKernel kKernels[] = {
    {"strips", always, detail::scan_strips},
    {"serial", always, detail::scan_serial},
};

}  // namespace

std::span<const uint64_t, 256> gear_table() {
  return detail::kGearTable;
}

uint64_t gear_hash(ByteSpan bytes) {
  uint64_t h = 0;
  for (const std::byte byte : bytes) h = detail::gear_step(h, byte);
  return h;
}

size_t first_trigger(ByteSpan bytes, size_t from, size_t to) {
  XET_CHECK(kWindow <= from && to <= bytes.size());
  uint64_t h = gear_hash(bytes.subspan(from - kWindow, kWindow - 1));
  for (size_t e = from; e <= to; ++e) {
    h = detail::gear_step(h, bytes[e - 1]);
    if (detail::is_trigger(h)) [[unlikely]]
      return e;
  }
  return to + 1;
}

std::span<const ScanKernel> scan_kernels() {
  return kKernels;
}

const ScanKernel& best_scan_kernel() {
  static const ScanKernel& best = []() -> const ScanKernel& {
    for (const auto& kernel : kKernels) {
      if (kernel.supported()) return kernel;
    }
    return kKernels[std::size(kKernels) - 1];
  }();
  return best;
}

Candidates find_candidates(ByteSpan bytes, size_t context, const ScanKernel& kernel) {
  XET_CHECK(context <= kMaxContext && context <= bytes.size());
  Candidates out;
  out.dense = !kernel.scan(bytes, context, candidate_limit(bytes.size() - context), out.positions);
  return out;
}

}  // namespace xet::chunk
