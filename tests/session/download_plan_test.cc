#include "session/download_plan.h"

#include <gtest/gtest.h>

#include "format/xorb.h"
#include "support/generators.h"
#include "support/matchers.h"

namespace xet::session {
namespace {

using namespace testing;

const XorbHash kA(random_hash(1));
const XorbHash kB(random_hash(2));

cas::FetchRange range(uint32_t begin, uint32_t end) {
  return {{begin, end}, {begin * 1000, end * 1000}, {}, {}};
}

/// A file of 5000 + 3000 + 2000 bytes in three terms of two xorbs.
cas::Reconstruction sample() {
  return {.offset_into_first_term = 0,
          .terms = {{kA, {0, 5}, 5000}, {kB, {2, 5}, 3000}, {kA, {3, 5}, 2000}},
          .fetches = {{kA, {range(0, 5)}}, {kB, {range(2, 5)}}}};
}

TEST(PlanPage, PlacesTermsAndFetchesEachRangeOnce) {
  const auto plan = plan_page(sample(), 0, 0);
  ASSERT_THAT(plan, IsOk());
  EXPECT_EQ(plan->end, 10'000U);
  ASSERT_EQ(plan->terms.size(), 3U);
  EXPECT_EQ(plan->terms[1].output_begin, 5000);
  EXPECT_EQ(plan->terms[2].output_begin, 8000);
  ASSERT_EQ(plan->fetches.size(), 2U);
  EXPECT_EQ(plan->fetches[0].xorb, kA);
  EXPECT_EQ(plan->fetches[0].terms, std::vector<size_t>({0, 2}));
  EXPECT_EQ(plan->fetches[1].terms, std::vector<size_t>({1}));
}

TEST(PlanPage, ARangeMayBeginInsideTheFirstTerm) {
  auto answer = sample();
  answer.offset_into_first_term = 1234;
  const auto plan = plan_page(std::move(answer), 101'234, 101'234);
  ASSERT_THAT(plan, IsOk());
  EXPECT_EQ(plan->terms[0].output_begin, -1234);
  EXPECT_EQ(plan->end, 110'000U);
}

TEST(PlanPage, NoTermsAreTheEnd) {
  const auto plan = plan_page({}, 77, 0);
  ASSERT_THAT(plan, IsOk());
  EXPECT_EQ(plan->end, 77U);
}

TEST(PlanPage, RangesOfOneXorbMayBeSeveral) {
  auto answer = sample();
  answer.terms[2].chunks = {7, 9};
  answer.fetches[kA].push_back(range(7, 9));
  const auto plan = plan_page(std::move(answer), 0, 0);
  ASSERT_THAT(plan, IsOk());
  EXPECT_EQ(plan->fetches.size(), 3U);
}

struct BadAnswer {
  const char* name;
  void (*spoil)(cas::Reconstruction&);
};
class PlanPageRejects : public ::testing::TestWithParam<BadAnswer> {};

TEST_P(PlanPageRejects, WhatDoesNotHoldTogether) {
  auto answer = sample();
  GetParam().spoil(answer);
  EXPECT_THAT(plan_page(std::move(answer), 0, 0), FailsWith(ErrorCode::kCorruption));
}

INSTANTIATE_TEST_SUITE_P(
    Answers, PlanPageRejects,
    ::testing::Values(
        BadAnswer{"OffsetBeforeTheFile", [](auto& a) { a.offset_into_first_term = 1; }},
        BadAnswer{"OffsetPastTheTerm", [](auto& a) { a.offset_into_first_term = 5000; }},
        BadAnswer{"OffsetHuge", [](auto& a) { a.offset_into_first_term = UINT64_MAX; }},
        BadAnswer{"TermWithoutChunks", [](auto& a) { a.terms[1].chunks = {3, 3}; }},
        BadAnswer{"TermInverted", [](auto& a) { a.terms[1].chunks = {5, 2}; }},
        BadAnswer{"TermOfNoBytes", [](auto& a) { a.terms[1].unpacked_len = 0; }},
        BadAnswer{"TermOfMoreBytesThanItsChunksCanHold",
                  [](auto& a) { a.terms[1].unpacked_len = 3 * 128 * 1024 + 1; }},
        BadAnswer{"TermOfFewerBytesThanChunks", [](auto& a) { a.terms[1].unpacked_len = 2; }},
        BadAnswer{"XorbWithoutRanges", [](auto& a) { a.fetches.erase(kB); }},
        BadAnswer{"XorbWithAnEmptyList", [](auto& a) { a.fetches[kB].clear(); }},
        BadAnswer{"TermOutsideTheRanges", [](auto& a) { a.terms[1].chunks = {2, 6}; }},
        BadAnswer{"TermAcrossTwoRanges", [](auto& a) { a.fetches[kB] = {range(2, 4), range(4, 5)}; }},
        BadAnswer{"RangesThatBeginTheSame",
                  [](auto& a) {
                    a.terms[2].chunks = {5, 7};
                    a.fetches[kA] = {range(0, 5), range(0, 7)};
                  }},
        BadAnswer{"RangesThatOverlap",
                  [](auto& a) {
                    a.terms[2].chunks = {5, 7};
                    a.fetches[kA] = {range(0, 5), range(4, 7)};
                  }},
        BadAnswer{"RangesOutOfOrder",
                  [](auto& a) {
                    a.terms[2].chunks = {7, 9};
                    a.fetches[kA] = {range(7, 9), range(0, 5)};
                  }},
        BadAnswer{"RangeOfNoBytes", [](auto& a) { a.fetches[kB][0].bytes = {5, 5}; }},
        BadAnswer{"RangeInverted", [](auto& a) { a.fetches[kB][0].bytes = {500, 5}; }},
        BadAnswer{"RangeOfFewerBytesThanHeaders", [](auto& a) { a.fetches[kB][0].bytes = {0, 20}; }},
        BadAnswer{"RangePastTheLargestXorb",
                  [](auto& a) { a.fetches[kB][0].bytes = {0, format::kMaxPackedXorbBytes + 1}; }},
        BadAnswer{"RangeOfTooManyChunks",
                  [](auto& a) { a.fetches[kB][0].chunks = {0, format::kMaxXorbChunks + 1}; }},
        BadAnswer{"HugeChunkNumbers", [](auto& a) { a.fetches[kB][0].chunks = {0, UINT32_MAX}; }},
        BadAnswer{"TooFewHashes", [](auto& a) { a.fetches[kB][0].chunk_hashes.resize(2); }},
        BadAnswer{"TooManyHashes", [](auto& a) { a.fetches[kB][0].chunk_hashes.resize(4); }}),
    [](const auto& param) { return param.param.name; });

TEST(PlanPage, PositionsThatNoFileHasAreRejected) {
  auto answer = sample();
  EXPECT_THAT(plan_page(answer, UINT64_MAX - 100, 0), FailsWith(ErrorCode::kCorruption));
  EXPECT_THAT(plan_page(answer, UINT64_MAX - 100, UINT64_MAX - 100), FailsWith(ErrorCode::kCorruption));
}

TEST(ClipToOutput, CutsAtBothEnds) {
  const auto clip = [](int64_t begin, uint64_t size, uint64_t window) {
    const auto out = clip_to_output(begin, size, window);
    return std::pair(out.skip, out.take);
  };
  using Pair = std::pair<uint64_t, uint64_t>;
  EXPECT_EQ(clip(0, 10, 100), Pair(0, 10));
  EXPECT_EQ(clip(95, 10, 100), Pair(0, 5));
  EXPECT_EQ(clip(100, 10, 100).second, 0U);
  EXPECT_EQ(clip(-3, 10, 100), Pair(3, 7));
  EXPECT_EQ(clip(-3, 10, 2), Pair(3, 2));
  EXPECT_EQ(clip(-10, 10, 100).second, 0U);
  EXPECT_EQ(clip(-100, 10, 100).second, 0U);
  EXPECT_EQ(clip(5, 10, 0).second, 0U);
  EXPECT_EQ(clip(INT64_MAX, 10, UINT64_MAX), Pair(0, 10));
}

}  // namespace
}  // namespace xet::session
