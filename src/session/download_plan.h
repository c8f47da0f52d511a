#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "cas/cas.h"
#include "xet/result.h"

namespace xet::session {

/// A term of the file, placed in the output.
struct PlacedTerm {
  cas::Term term;
  /// Output position of the term's first byte; negative when a range begins inside the term.
  int64_t output_begin = 0;
};

/// One range to fetch, and the terms (by index in the plan) that its chunks serve: a range is fetched once
/// however many terms use it.
struct PlannedFetch {
  XorbHash xorb;
  cas::FetchRange range;
  std::vector<size_t> terms;
};

/// What one answer of the store says is to be done.
struct PagePlan {
  std::vector<PlacedTerm> terms;      ///< in file order
  std::vector<PlannedFetch> fetches;  ///< in the order in which the file needs them first
  uint64_t end = 0;  ///< file offset behind the last term; the begin of the page when there is none
};

/// Checks a reconstruction and turns it into a plan. `page_begin`: file offset that was asked for;
/// `output_begin`: file offset of the first byte of the output. kCorruption for terms without range, empty
/// terms, and numbers that disagree.
Result<PagePlan> plan_page(cas::Reconstruction reconstruction, uint64_t page_begin, uint64_t output_begin);

/// The part of [begin, begin + size) that lies in the output window [0, window): what to skip at the front,
/// and how much to take. Nothing to take gives 0.
struct Clip {
  uint64_t skip = 0;
  uint64_t take = 0;
};
Clip clip_to_output(int64_t begin, uint64_t size, uint64_t window);

}  // namespace xet::session
