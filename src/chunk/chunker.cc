#include "chunk/chunker.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.h"
#include "chunk/gear_step.h"

namespace xet::chunk {

namespace {

// The bytes of a chunk before this one have left the window when the first cut is possible.
constexpr uint32_t kFirstHashed = kMinChunk - kWindow;

/// Cuts of one segment of `length` bytes whose first chunk began `open` bytes before it. `next(from, to)` is
/// the first trigger in from..to or anything greater than `to`; it is asked with rising `from`. Returns the
/// new open length.
template <class NextTrigger>
uint32_t walk(uint32_t open, int64_t length, std::vector<uint32_t>& cuts, NextTrigger next) {
  int64_t start = -static_cast<int64_t>(open);
  for (;;) {
    const int64_t forced = start + kMaxChunk;
    const int64_t from = std::max<int64_t>(start + kMinChunk, 1);
    const int64_t to = std::min(forced, length);
    if (from > length) break;
    int64_t cut = next(from, to);
    if (cut > to) cut = forced;
    if (cut > length) break;
    cuts.push_back(static_cast<uint32_t>(cut));
    start = cut;
  }
  return static_cast<uint32_t>(length - start);
}

}  // namespace

void CutResolver::resolve(const Candidates& found, ByteSpan bytes, size_t context,
                          std::vector<uint32_t>& cuts) {
  XET_CHECK(context <= kMaxContext && context <= bytes.size());
  const size_t length = bytes.size() - context;
  XET_CHECK(length <= std::numeric_limits<uint32_t>::max());
  const auto signed_length = static_cast<int64_t>(length);
  if (found.dense) {
    // What a serial chunker does: the bytes of the minimum chunk are skipped, so this is not slower than the
    // scan that gave up.
    open_ = walk(open_, signed_length, cuts, [&](int64_t from, int64_t to) {
      const size_t end =
          first_trigger(bytes, static_cast<size_t>(from) + context, static_cast<size_t>(to) + context);
      return static_cast<int64_t>(end) - static_cast<int64_t>(context);
    });
    return;
  }
  auto at = found.positions.begin();
  open_ = walk(open_, signed_length, cuts, [&](int64_t from, int64_t to) {
    while (at != found.positions.end() && *at < from) ++at;
    return at != found.positions.end() ? int64_t{*at} : to + 1;
  });
}

uint32_t CutResolver::finish() {
  return std::exchange(open_, 0);
}

Chunker::Step Chunker::step(ByteSpan bytes) {
  size_t at = 0;
  const auto skip_to = [&](uint32_t length) {  // bytes until the chunk is that long, as far as there are any
    const size_t n = open_ < length ? std::min<size_t>(bytes.size() - at, length - open_) : 0;
    open_ += static_cast<uint32_t>(n);
    return at + n;
  };
  at = skip_to(kFirstHashed);
  uint64_t h = h_;
  for (const size_t end = skip_to(kMinChunk - 1); at < end; ++at) h = detail::gear_step(h, bytes[at]);
  const size_t end = skip_to(kMaxChunk);
  while (at < end) {
    h = detail::gear_step(h, bytes[at++]);
    if (detail::is_trigger(h)) [[unlikely]] {
      const auto length = static_cast<uint32_t>(open_ - (end - at));
      *this = Chunker();
      return {at, length};
    }
  }
  if (open_ == kMaxChunk) {
    *this = Chunker();
    return {at, kMaxChunk};
  }
  h_ = h;
  return {at, 0};
}

std::vector<uint32_t> chunk_lengths(ByteSpan whole) {
  std::vector<uint32_t> out;
  const auto add = [&](uint32_t length) { out.push_back(length); };
  Chunker chunker;
  chunker.feed(whole, add);
  chunker.finish(add);
  return out;
}

std::vector<uint32_t> parallel_chunk_lengths(ByteSpan whole, size_t segment_bytes, const RunAll& run_all,
                                             const ScanKernel& kernel) {
  XET_CHECK(segment_bytes > 0);
  const size_t n_segments = (whole.size() + segment_bytes - 1) / segment_bytes;
  const auto segment = [&](size_t i) {
    const size_t begin = i * segment_bytes;
    const size_t context = std::min(begin, kMaxContext);
    const size_t length = std::min(segment_bytes, whole.size() - begin);
    return std::pair(whole.subspan(begin - context, context + length), context);
  };

  std::vector<Candidates> found(n_segments);
  run_all(n_segments, [&](size_t i) {
    const auto [bytes, context] = segment(i);
    found[i] = find_candidates(bytes, context, kernel);
  });

  std::vector<uint32_t> out;
  CutResolver resolver;
  std::vector<uint32_t> cuts;
  for (size_t i = 0; i < n_segments; ++i) {
    const auto [bytes, context] = segment(i);
    uint32_t before = resolver.open_bytes();  // of the next chunk, in earlier segments
    uint32_t start = 0;
    cuts.clear();
    resolver.resolve(found[i], bytes, context, cuts);
    for (const uint32_t cut : cuts) {
      out.push_back(std::exchange(before, 0) + (cut - std::exchange(start, cut)));
    }
  }
  if (const uint32_t last = resolver.finish(); last != 0) out.push_back(last);
  return out;
}

}  // namespace xet::chunk
