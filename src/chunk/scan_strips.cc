#include <algorithm>

#include "chunk/gear.h"
#include "chunk/gear_step.h"
#include "chunk/kernels.h"

namespace xet::chunk::detail {

namespace {

// The segment is taken in blocks of kStrips strips. A strip's hash starts 63 bytes early and is then the same
// as if everything before had been fed, so the strips' chains are independent and run side by side.
constexpr size_t kStrips = 4;
// Not a multiple of 4096, nor are its multiples up to kStrips: strips at such a stride fall on the same cache
// sets and make the scan three times slower. Long enough that 63 bytes of warm-up per strip are 0.4 % of it.
constexpr size_t kStripBytes = 4 * 4096 + 1088;
constexpr size_t kBlockBytes = kStrips * kStripBytes;

class Found {
 public:
  Found(std::vector<uint32_t>& out, size_t limit) : out_(out), had_(out.size()), limit_(limit) {}

  // Out of line, so that the loop keeps its hashes in registers.
  [[gnu::noinline]] bool add(size_t position) {
    if (out_.size() - had_ == limit_) {
      out_.resize(had_);
      return false;
    }
    out_.push_back(static_cast<uint32_t>(position));
    return true;
  }
  // Strips find their triggers in turn; a block has one or two of them.
  void sort_from(size_t first) { std::sort(out_.begin() + static_cast<ptrdiff_t>(first), out_.end()); }
  size_t size() const { return out_.size(); }

 private:
  std::vector<uint32_t>& out_;
  size_t had_;
  size_t limit_;
};

// Triggers whose last byte is one of block[0 .. kBlockBytes); 63 bytes before `block` are readable.
// `position` is the one of a trigger that ends with block[0].
bool scan_block(const std::byte* block, size_t position, Found& found) {
  uint64_t h[kStrips];
  for (size_t strip = 0; strip < kStrips; ++strip) {
    h[strip] = gear_hash(ByteSpan(block + strip * kStripBytes - (kWindow - 1), kWindow - 1));
  }
  for (size_t i = 0; i < kStripBytes; ++i) {
    for (size_t strip = 0; strip < kStrips; ++strip) {
      h[strip] = gear_step(h[strip], block[strip * kStripBytes + i]);
      if (is_trigger(h[strip])) [[unlikely]] {
        if (!found.add(position + strip * kStripBytes + i)) return false;
      }
    }
  }
  return true;
}

}  // namespace

bool scan_strips(ByteSpan bytes, size_t context, size_t limit, std::vector<uint32_t>& out) {
  const size_t had = out.size();
  Found found(out, limit);
  size_t next = kWindow - 1;  // the first byte that can end a trigger
  for (; next + kBlockBytes <= bytes.size(); next += kBlockBytes) {
    const size_t before = found.size();
    if (!scan_block(bytes.data() + next, next + 1 - context, found)) return false;
    found.sort_from(before);
  }
  if (next >= bytes.size()) return true;
  // The rest, shorter than a block: a segment of its own whose context is the 63 bytes before it.
  const size_t rest = out.size();
  if (!scan_serial(bytes.subspan(next - (kWindow - 1)), kWindow - 1, limit - (rest - had), out)) {
    out.resize(had);
    return false;
  }
  const auto shift = static_cast<uint32_t>(next - context);
  for (size_t i = rest; i < out.size(); ++i) out[i] += shift;
  return true;
}

}  // namespace xet::chunk::detail
