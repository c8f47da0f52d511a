#include "session/download_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <span>
#include <tuple>
#include <utility>

#include "format/xorb.h"

namespace xet::session {

namespace {

constexpr uint64_t kMaxFileBytes = INT64_MAX;  // what the system can address

tl::unexpected<Error> bad_answer(const XorbHash& xorb, std::string_view what) {
  return fail(ErrorCode::kCorruption,
              fmt::format("the store's reconstruction is wrong: xorb {}: {}", xorb.hex(), what));
}

Status check_ranges(const XorbHash& xorb, std::span<const cas::FetchRange> ranges) {
  uint32_t end_before = 0;
  for (const auto& range : ranges) {
    if (range.chunks.begin >= range.chunks.end || range.chunks.end > format::kMaxXorbChunks) {
      return bad_answer(xorb, "a range of chunks is empty or too long");
    }
    if (range.chunks.begin < end_before) return bad_answer(xorb, "ranges overlap or are not in order");
    end_before = range.chunks.end;
    if (range.bytes.begin >= range.bytes.end || range.bytes.end > format::kMaxPackedXorbBytes) {
      return bad_answer(xorb, "a range of bytes is empty or too long");
    }
    if (range.bytes.size() <= uint64_t{range.chunks.size()} * format::ChunkHeader::kEncodedSize) {
      return bad_answer(xorb, "a range has fewer bytes than its chunks need");
    }
    if (!range.chunk_hashes.empty() && range.chunk_hashes.size() != range.chunks.size()) {
      return bad_answer(xorb, "not one hash per chunk");
    }
  }
  return {};
}

Status check_term(const cas::Term& term) {
  if (term.chunks.begin >= term.chunks.end) return bad_answer(term.xorb, "a term is empty");
  const uint64_t n_chunks = term.chunks.size();
  if (term.unpacked_len < n_chunks || term.unpacked_len > n_chunks * format::kMaxChunkBytes) {
    return bad_answer(term.xorb, "a term's chunks cannot have the length it says");
  }
  return {};
}

/// The one range that holds a term's chunks; ranges.end() when none does.
auto range_of(const cas::Term& term, const std::vector<cas::FetchRange>& ranges) {
  auto after = std::upper_bound(ranges.begin(), ranges.end(), term.chunks.begin,
                                [](uint32_t chunk, const auto& range) { return chunk < range.chunks.begin; });
  if (after == ranges.begin() || !std::prev(after)->chunks.contains(term.chunks)) return ranges.end();
  return std::prev(after);
}

}  // namespace

Result<PagePlan> plan_page(cas::Reconstruction reconstruction, uint64_t page_begin, uint64_t output_begin) {
  PagePlan plan;
  plan.end = page_begin;
  if (reconstruction.terms.empty()) return plan;
  const auto& first = reconstruction.terms.front();
  if (reconstruction.offset_into_first_term >= first.unpacked_len ||
      reconstruction.offset_into_first_term > page_begin) {
    return bad_answer(first.xorb, "it begins at the wrong place");
  }

  for (const auto& [xorb, ranges] : reconstruction.fetches) XET_TRY_STATUS(check_ranges(xorb, ranges));

  std::map<std::tuple<XorbHash, uint32_t>, size_t> fetch_of;  // (xorb, first chunk of the range) -> index
  uint64_t at = page_begin - reconstruction.offset_into_first_term;
  for (const auto& term : reconstruction.terms) {
    XET_TRY_STATUS(check_term(term));
    if (at > kMaxFileBytes - term.unpacked_len) return bad_answer(term.xorb, "no file is that long");
    const auto ranges = reconstruction.fetches.find(term.xorb);
    if (ranges == reconstruction.fetches.end()) return bad_answer(term.xorb, "a term has nothing to fetch");
    const auto range = range_of(term, ranges->second);
    if (range == ranges->second.end()) return bad_answer(term.xorb, "no range to fetch holds a term");

    const auto [known, is_new] = fetch_of.try_emplace({term.xorb, range->chunks.begin}, plan.fetches.size());
    if (is_new) {
      plan.fetches.push_back({term.xorb, *range, {}});
    }
    plan.fetches[known->second].terms.push_back(plan.terms.size());
    plan.terms.push_back({term, static_cast<int64_t>(at - output_begin)});
    at += term.unpacked_len;
  }
  plan.end = at;
  return plan;
}

Clip clip_to_output(int64_t begin, uint64_t size, uint64_t window) {
  const uint64_t skip = begin < 0 ? std::min(size, static_cast<uint64_t>(-begin)) : 0;
  const uint64_t at = begin < 0 ? 0 : static_cast<uint64_t>(begin);
  if (skip == size || at >= window) return {skip, 0};
  return {skip, std::min(size - skip, window - at)};
}

}  // namespace xet::session
