#include "dedup/fragmentation.h"

#include <gtest/gtest.h>

#include <vector>

#include "support/generators.h"

namespace xet::dedup {
namespace {

/// The rule as it is written down, without any of the shortcuts: all segments are kept, the window is summed
/// up anew each time.
class Model {
 public:
  bool allows(uint32_t n) {
    if (runs_.size() < 128) return true;
    float sum = 0;
    for (size_t i = runs_.size() - 128; i < runs_.size(); ++i) sum += static_cast<float>(runs_[i]);
    const float per_run = sum / 128.0F;
    const bool below = per_run < (low_ ? 8.0F * 0.5F : 8.0F);
    if (below && static_cast<float>(n) < per_run) {
      low_ = false;
      return false;
    }
    if (!below) low_ = true;
    return true;
  }
  void added(uint32_t n) { runs_.push_back(n); }
  void extended(uint32_t n) {
    if (!runs_.empty()) runs_.back() += n;
  }

 private:
  std::vector<uint32_t> runs_;
  bool low_ = true;
};

TEST(FragmentationGuard, AllowsAnythingBeforeTheWindowIsFull) {
  FragmentationGuard guard;
  for (size_t i = 0; i < FragmentationGuard::kWindow; ++i) {
    EXPECT_TRUE(guard.allows(1));
    guard.segment_added(1);
  }
  EXPECT_TRUE(guard.allows(1));  // as long as the average
}

TEST(FragmentationGuard, RefusesShortRunsBelowFourAndUntilTheAverageIsEight) {
  FragmentationGuard guard;
  for (size_t i = 0; i < 128; ++i) guard.segment_added(4);
  EXPECT_TRUE(guard.allows(1));  // the average is 4, not below
  guard.segment_added(1);        // 3.98
  EXPECT_FALSE(guard.allows(3));
  EXPECT_TRUE(guard.allows(4));
  guard.last_segment_extended(4 * 128 - 1);  // a little below 8
  EXPECT_FALSE(guard.allows(7));
  EXPECT_TRUE(guard.allows(8));
  guard.last_segment_extended(10);  // above 8
  EXPECT_TRUE(guard.allows(1));
  for (int i = 0; i < 20; ++i) guard.segment_added(5);
  EXPECT_TRUE(guard.allows(1));  // between 4 and 8 again, and allowed until it is below 4
}

TEST(FragmentationGuard, DecidesAsTheRuleForAnySequence) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    testing::SplitMix64 random(seed);
    FragmentationGuard guard;
    Model model;
    const uint64_t longest = 2 + seed % 20;
    guard.last_segment_extended(3);  // nothing to extend yet
    model.extended(3);
    for (int step = 0; step < 3000; ++step) {
      const auto n = static_cast<uint32_t>(1 + random.below(longest));
      if (random.below(3) == 0) {
        guard.last_segment_extended(n);
        model.extended(n);
        continue;
      }
      const bool allowed = model.allows(n);
      ASSERT_EQ(guard.allows(n), allowed) << "seed " << seed << " step " << step;
      const uint32_t taken = allowed ? n : 1;
      guard.segment_added(taken);
      model.added(taken);
    }
  }
}

}  // namespace
}  // namespace xet::dedup
