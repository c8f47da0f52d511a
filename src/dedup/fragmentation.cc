#include "dedup/fragmentation.h"

namespace xet::dedup {

bool FragmentationGuard::allows(uint32_t n_chunks) {
  if (runs_.size() < kWindow) return true;
  const float average = static_cast<float>(total_) / static_cast<float>(runs_.size());
  const float threshold = low_ ? kTarget * kHysteresis : kTarget;
  if (average >= threshold) {
    low_ = true;
    return true;
  }
  if (static_cast<float>(n_chunks) >= average) return true;
  low_ = false;
  return false;
}

void FragmentationGuard::segment_added(uint32_t n_chunks) {
  runs_.push_back(n_chunks);
  total_ += n_chunks;
  if (runs_.size() > kWindow) {
    total_ -= runs_.front();
    runs_.pop_front();
  }
}

void FragmentationGuard::last_segment_extended(uint32_t n_chunks) {
  if (runs_.empty()) return;
  runs_.back() += n_chunks;
  total_ += n_chunks;
}

}  // namespace xet::dedup
