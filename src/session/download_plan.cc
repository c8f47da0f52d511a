#include "session/download_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "format/xorb.h"

namespace xet::session {

namespace {

tl::unexpected<Error> bad_answer(const XorbHash& xorb, std::string_view what) {
  return fail(ErrorCode::kCorruption,
              fmt::format("the store's reconstruction is wrong: xorb {}: {}", xorb.hex(), what));
}

Status check_range(const XorbHash& xorb, const cas::FetchRange& range) {
  if (range.chunks.begin >= range.chunks.end || range.chunks.end > format::kMaxXorbChunks) {
    return bad_answer(xorb, "a range of chunks is empty or too long");
  }
  if (range.bytes.begin >= range.bytes.end || range.bytes.end > format::kMaxPackedXorbBytes) {
    return bad_answer(xorb, "a range of bytes is empty or too long");
  }
  if (!range.chunk_hashes.empty() && range.chunk_hashes.size() != range.chunks.size()) {
    return bad_answer(xorb, "not one hash per chunk");
  }
  return {};
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

  std::map<std::tuple<XorbHash, uint32_t>, size_t> fetch_of;  // (xorb, first chunk of the range) -> index
  uint64_t at = page_begin - reconstruction.offset_into_first_term;
  for (const auto& term : reconstruction.terms) {
    if (term.chunks.begin >= term.chunks.end || term.unpacked_len == 0)
      return bad_answer(term.xorb, "a term is empty");
    const auto ranges = reconstruction.fetches.find(term.xorb);
    if (ranges == reconstruction.fetches.end()) return bad_answer(term.xorb, "a term has nothing to fetch");
    const auto range = std::find_if(ranges->second.begin(), ranges->second.end(),
                                    [&](const cas::FetchRange& r) { return r.chunks.contains(term.chunks); });
    if (range == ranges->second.end()) return bad_answer(term.xorb, "no range to fetch holds a term");

    const auto [known, is_new] = fetch_of.try_emplace({term.xorb, range->chunks.begin}, plan.fetches.size());
    if (is_new) {
      XET_TRY_STATUS(check_range(term.xorb, *range));
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
