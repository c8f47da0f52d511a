#include "server/core/reconstruct.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <unordered_map>
#include <utility>

namespace xet::core {

namespace {

/// A xorb that the answer refers to, with what is needed to place its chunks.
struct UsedXorb {
  store::XorbRow row;
  bool same_generation = true;  ///< the manifest's packed offsets are those of the usable object
  std::shared_ptr<const format::XorbFooter> footer;
  std::vector<Reconstruction::Range> ranges;
};

/// Sorts, and joins what overlaps or touches.
void merge_ranges(std::vector<Reconstruction::Range>& ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](const auto& a, const auto& b) { return a.chunk_begin < b.chunk_begin; });
  size_t last = 0;
  for (size_t i = 1; i < ranges.size(); ++i) {
    if (ranges[i].chunk_begin > ranges[last].chunk_end) {
      ranges[++last] = std::move(ranges[i]);
    } else if (ranges[i].chunk_end > ranges[last].chunk_end) {
      ranges[last].chunk_end = ranges[i].chunk_end;
      ranges[last].packed.end = ranges[i].packed.end;
    }
  }
  ranges.resize(std::min(ranges.size(), last + 1));
}

class Planner {
 public:
  Planner(store::MetaStore& meta, FooterCache& footers, const Manifest& manifest, bool want_hashes)
      : meta_(meta), footers_(footers), manifest_(manifest), want_hashes_(want_hashes) {}

  Result<Reconstruction> plan(FileRange range) {
    XET_TRY(auto terms, manifest_.terms_covering(range.begin, range.end));
    XET_TRY_STATUS(find_xorbs(terms));
    out_.terms.reserve(terms.size());
    XET_TRY(const uint32_t dropped, trim_front(terms.front(), range.begin));
    out_.offset_into_first_term = range.begin - terms.front().file_begin - dropped;
    terms.front().file_begin += dropped;
    XET_TRY_STATUS(trim_back(terms.back(), range.end));
    for (const auto& term : terms) {
      const uint32_t index = index_of_.at(term.xorb);
      out_.terms.push_back({.xorb = index,
                            .chunk_begin = term.chunk_begin,
                            .chunk_end = term.chunk_end,
                            .unpacked_len = term.unpacked_len});
      xorbs_[index].ranges.push_back({.chunk_begin = term.chunk_begin,
                                      .chunk_end = term.chunk_end,
                                      .packed = term.packed,
                                      .chunk_hashes = {}});
    }
    for (auto& xorb : xorbs_) XET_TRY_STATUS(finish_xorb(xorb));
    return std::move(out_);
  }

 private:
  /// Looks up all xorbs of these terms at once; they stand in order of first use.
  Status find_xorbs(const std::vector<ManifestTerm>& terms) {
    std::vector<ManifestXorb> wanted;
    std::vector<XorbHash> hashes;
    for (const auto& term : terms) {
      if (!index_of_.try_emplace(term.xorb, static_cast<uint32_t>(wanted.size())).second) continue;
      XET_TRY(wanted.emplace_back(), manifest_.xorb(term.xorb));
      hashes.push_back(wanted.back().hash);
    }
    XET_TRY(const auto rows, meta_.find_usable_xorbs(hashes));
    for (size_t i = 0; i < wanted.size(); ++i) {
      if (!rows[i]) {
        return fail(ErrorCode::kCorruption,
                    fmt::format("xorb {}, which it refers to, is lost", hashes[i].hex()));
      }
      xorbs_.push_back({.row = *rows[i],
                        .same_generation = rows[i]->generation == wanted[i].generation,
                        .footer = nullptr,
                        .ranges = {}});
    }
    return {};
  }

  Result<const format::XorbFooter*> footer_of(UsedXorb& xorb) {
    if (!xorb.footer) {
      XET_TRY(xorb.footer, footers_.get(xorb.row));
    }
    return xorb.footer.get();
  }

  /// The boundaries for a term, after comparing it with the footer: the manifest may be damaged.
  Result<const format::XorbBoundaries*> boundaries(const ManifestTerm& term) {
    XET_TRY(const auto* footer, footer_of(xorbs_[index_of_.at(term.xorb)]));
    XET_TRY(const uint32_t len, footer->ends.unpacked_len(term.chunk_begin, term.chunk_end));
    if (len != term.unpacked_len) {
      return fail(ErrorCode::kCorruption,
                  fmt::format("its manifest gives {} bytes for chunks of xorb {} that have {}",
                              term.unpacked_len, footer->hash.hex(), len));
    }
    return &footer->ends;
  }

  /// Drops the chunks that end at or before `begin`; returns their bytes.
  Result<uint32_t> trim_front(ManifestTerm& term, uint64_t begin) {
    if (begin == term.file_begin) return 0;
    XET_TRY(const auto* ends, boundaries(term));
    const auto skip = static_cast<uint32_t>(begin - term.file_begin);  // below unpacked_len
    uint32_t dropped = 0;
    while (dropped + ends->chunk_len(term.chunk_begin) <= skip)
      dropped += ends->chunk_len(term.chunk_begin++);
    term.unpacked_len -= dropped;
    XET_TRY(term.packed, ends->packed_range(term.chunk_begin, term.chunk_end));
    return dropped;
  }

  /// Drops the chunks that begin at or after `end`.
  Status trim_back(ManifestTerm& term, uint64_t end) {
    if (end == term.file_begin + term.unpacked_len) return {};
    XET_TRY(const auto* ends, boundaries(term));
    const auto keep = static_cast<uint32_t>(end - term.file_begin);  // above 0
    while (term.unpacked_len - ends->chunk_len(term.chunk_end - 1) >= keep) {
      term.unpacked_len -= ends->chunk_len(--term.chunk_end);
    }
    XET_TRY(term.packed, ends->packed_range(term.chunk_begin, term.chunk_end));
    return {};
  }

  /// Merges the ranges of one xorb and adds it to the answer.
  Status finish_xorb(UsedXorb& xorb) {
    auto& ranges = xorb.ranges;
    merge_ranges(ranges);
    if (want_hashes_ || !xorb.same_generation) {
      XET_TRY(const auto* footer, footer_of(xorb));
      for (auto& range : ranges) {
        auto packed = footer->ends.packed_range(range.chunk_begin, range.chunk_end);
        if (!packed) {
          return fail(
              ErrorCode::kCorruption,
              fmt::format("its manifest refers to chunks [{}, {}) of xorb {}, which has {}",
                          range.chunk_begin, range.chunk_end, footer->hash.hex(), footer->chunk_count()));
        }
        range.packed = *packed;
        if (want_hashes_) {
          range.chunk_hashes.assign(footer->chunk_hashes.begin() + range.chunk_begin,
                                    footer->chunk_hashes.begin() + range.chunk_end);
        }
      }
    }
    out_.xorbs.push_back({.row = xorb.row, .ranges = std::move(ranges)});
    xorb.footer.reset();
    return {};
  }

  store::MetaStore& meta_;
  FooterCache& footers_;
  const Manifest& manifest_;
  const bool want_hashes_;
  std::unordered_map<uint32_t, uint32_t> index_of_;
  std::vector<UsedXorb> xorbs_;
  Reconstruction out_;
};

}  // namespace

std::vector<Reconstruction::Term> ReconstructionMerger::add(Reconstruction file) {
  std::vector<uint32_t> places;
  places.reserve(file.xorbs.size());
  for (auto& xorb : file.xorbs) {
    const auto [entry, is_new] = index_of_.try_emplace(xorb.row.id, static_cast<uint32_t>(xorbs_.size()));
    places.push_back(entry->second);
    if (is_new) {
      xorbs_.push_back(std::move(xorb));
      continue;
    }
    auto& ranges = xorbs_[entry->second].ranges;
    std::move(xorb.ranges.begin(), xorb.ranges.end(), std::back_inserter(ranges));
  }
  for (auto& term : file.terms) term.xorb = places[term.xorb];
  return std::move(file.terms);
}

std::vector<Reconstruction::Xorb> ReconstructionMerger::finish() {
  for (auto& xorb : xorbs_) merge_ranges(xorb.ranges);
  return std::move(xorbs_);
}

Result<Reconstruction> reconstruct(store::MetaStore& meta, FooterCache& footers, const Manifest& manifest,
                                   FileRange range, ChunkHashes chunk_hashes) {
  return Planner(meta, footers, manifest, chunk_hashes == ChunkHashes::kYes).plan(range);
}

}  // namespace xet::core
