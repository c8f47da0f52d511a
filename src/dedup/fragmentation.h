#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

namespace xet::dedup {

/// Decides whether deduplicating a run would shatter a file: once the runs of its last 128 segments average
/// fewer than 4 chunks, runs shorter than that average are stored again, until the average is back at 8. The
/// rule and its numbers are those of the genuine client. One per file. Pure.
class FragmentationGuard {
 public:
  static constexpr size_t kWindow = 128;
  static constexpr float kTarget = 8.0F;
  static constexpr float kHysteresis = 0.5F;

  /// May a known run of `n_chunks`, which does not continue the last segment, be referred to?
  bool allows(uint32_t n_chunks);
  void segment_added(uint32_t n_chunks);
  void last_segment_extended(uint32_t n_chunks);

 private:
  std::deque<uint32_t> runs_;
  uint64_t total_ = 0;
  bool low_ = true;
};

}  // namespace xet::dedup
