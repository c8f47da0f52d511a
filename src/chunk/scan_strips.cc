#include <algorithm>

#include "chunk/gear.h"
#include "chunk/gear_step.h"
#include "chunk/kernels.h"

namespace xet::chunk::detail {

namespace {

// The segment is taken in blocks of four strips. A strip's hash starts 63 bytes early and is then the same as
// if everything before had been fed, so the strips' chains are independent and run side by side.
//
// The strip length and its multiples stay away from multiples of 4096: strips at such a stride fall on the
// same cache sets and make the scan three times slower. It is long enough for 63 bytes of warm-up to be 0.4 %
// of it.
constexpr size_t kStripBytes = 4 * 4096 + 1088;
constexpr size_t kBlockBytes = 4 * kStripBytes;

/// Appends to `out` up to a limit.
class Found {
 public:
  Found(std::vector<uint32_t>& out, size_t limit) : out_(out), had_(out.size()), limit_(limit) {}

  // Out of line, so that the loop that calls it keeps its hashes in registers.
  [[gnu::noinline, gnu::cold]] void add(size_t position) {
    if (room() == 0) {
      overflowed_ = true;
    } else {
      out_.push_back(static_cast<uint32_t>(position));
    }
  }
  size_t room() const { return limit_ - (out_.size() - had_); }
  bool overflowed() const { return overflowed_; }
  void drop_all() { out_.resize(had_); }

 private:
  std::vector<uint32_t>& out_;
  size_t had_;
  size_t limit_;
  bool overflowed_ = false;
};

/// Triggers whose last byte is one of block[0 .. kBlockBytes); the 63 bytes before `block` are readable.
/// `position` is the one of a trigger that ends with block[0]. Not inlined: it needs every register.
[[gnu::noinline]] void scan_block(const std::byte* block, size_t position, Found& found) {
  const auto warm = [&](size_t strip) {
    return gear_hash(ByteSpan(block + strip * kStripBytes - kMaxContext, kMaxContext));
  };
  // Named variables: g++ 12 keeps an array of four in memory, which costs a third of the rate.
  uint64_t h0 = warm(0);
  uint64_t h1 = warm(1);
  uint64_t h2 = warm(2);
  uint64_t h3 = warm(3);
  for (size_t i = 0; i < kStripBytes; ++i) {
    h0 = gear_step(h0, block[i]);
    h1 = gear_step(h1, block[kStripBytes + i]);
    h2 = gear_step(h2, block[2 * kStripBytes + i]);
    h3 = gear_step(h3, block[3 * kStripBytes + i]);
    if (is_trigger(h0)) [[unlikely]]
      found.add(position + i);
    if (is_trigger(h1)) [[unlikely]]
      found.add(position + i + kStripBytes);
    if (is_trigger(h2)) [[unlikely]]
      found.add(position + i + 2 * kStripBytes);
    if (is_trigger(h3)) [[unlikely]]
      found.add(position + i + 3 * kStripBytes);
  }
}

}  // namespace

bool scan_strips(ByteSpan bytes, size_t context, size_t limit, std::vector<uint32_t>& out) {
  Found found(out, limit);
  size_t next = kMaxContext;  // the first byte that can end a trigger and has not been looked at
  for (; next + kBlockBytes <= bytes.size(); next += kBlockBytes) {
    const auto before = static_cast<ptrdiff_t>(out.size());
    scan_block(bytes.data() + next, next + 1 - context, found);
    if (found.overflowed()) {
      found.drop_all();
      return false;
    }
    std::sort(out.begin() + before, out.end());  // the strips found theirs in turn; one or two per block
  }
  if (next >= bytes.size()) return true;
  // The rest is shorter than a block: a segment of its own, with the 63 bytes before it as context.
  const size_t before = out.size();
  if (!scan_serial(bytes.subspan(next - kMaxContext), kMaxContext, found.room(), out)) {
    found.drop_all();
    return false;
  }
  const auto shift = static_cast<uint32_t>(next - context);
  for (size_t i = before; i < out.size(); ++i) out[i] += shift;
  return true;
}

}  // namespace xet::chunk::detail
