#include "xet/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

#include "base/try.h"
#include "support/matchers.h"

namespace xet {
namespace {

using testing::FailsWith;

Result<int> half(int n) {
  if (n % 2 != 0) return fail(ErrorCode::kInvalidArgument, "odd");
  return n / 2;
}

Result<int> quarter(int n) {
  XET_TRY(const auto h, half(n));
  XET_TRY(const auto q, half(h));
  return q;
}

Status only_even(int n) {
  XET_TRY_STATUS(half(n));
  return {};
}

Result<std::unique_ptr<int>> boxed(int n) {
  XET_TRY(auto q, quarter(n));
  auto box = std::make_unique<int>(q);
  XET_TRY(auto same, Result<std::unique_ptr<int>>(std::move(box)));  // moves out, never copies
  return same;
}

TEST(Try, BindsTheValueOrReturnsTheError) {
  EXPECT_EQ(quarter(12).value(), 3);
  EXPECT_THAT(quarter(6), FailsWith(ErrorCode::kInvalidArgument, "odd"));
  EXPECT_THAT(quarter(7), FailsWith(ErrorCode::kInvalidArgument, "odd"));
  EXPECT_THAT(only_even(2), testing::IsOk());
  EXPECT_THAT(only_even(3), FailsWith(ErrorCode::kInvalidArgument));
  EXPECT_EQ(*boxed(8).value(), 2);
}

TEST(Fail, PutsContextInFrontOfAnError) {
  const Result<int> failed = fail(Error{ErrorCode::kNotFound, "no such chunk"}, "xorb 12");
  EXPECT_THAT(failed, FailsWith(ErrorCode::kNotFound, "xorb 12: no such chunk"));
}

TEST(ErrorCode, HasANameOfItsOwnForEachValue) {
  std::set<std::string_view> names;
  for (int code = 0; code <= static_cast<int>(ErrorCode::kInternal); ++code) {
    names.insert(to_string(static_cast<ErrorCode>(code)));
  }
  EXPECT_EQ(names.size(), static_cast<size_t>(ErrorCode::kInternal) + 1);
  EXPECT_FALSE(names.contains("unknown"));
}

}  // namespace
}  // namespace xet
