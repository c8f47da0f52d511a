#include "net/retry.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace xet::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using namespace std::chrono_literals;

constexpr std::array kRoutes = {
    Route::kReconstructV1, Route::kReconstructV2, Route::kFileSize, Route::kDedupQuery,
    Route::kGrant,         Route::kGrantUpload,   Route::kCommit,   Route::kXorbUpload,
    Route::kShardV1,       Route::kShardV2,       Route::kFetch,    Route::kToken,
};

// Verdicts in the tables below.
constexpr auto S = Verdict::kSuccess;
constexpr auto R = Verdict::kRetry;
constexpr auto F = Verdict::kFatal;
constexpr auto T = Verdict::kRefreshToken;
constexpr auto U = Verdict::kRefreshUrl;
constexpr auto B = Verdict::kFallBack;
constexpr auto G = Verdict::kNewGrant;
constexpr auto E = Verdict::kEndOfFile;
constexpr auto N = Verdict::kNotFound;
constexpr auto M = Verdict::kNoMatch;

TEST(Retry, EveryStatusOnEveryRoute) {
  struct Row {
    int status;
    std::array<Verdict, kRoutes.size()> verdicts;
  };
  // clang-format off
  const std::vector<Row> rows = {
      //     rec1 rec2 size ded grant put commit xorb sh1 sh2 fetch token
      {200, {S,   S,   S,   S,  S,    S,  S,     S,   S,  S,  S,    S}},
      {201, {S,   S,   S,   S,  S,    S,  S,     S,   S,  S,  S,    S}},
      {202, {S,   S,   S,   S,  F,    S,  S,     S,   S,  S,  S,    S}},
      {204, {S,   S,   S,   S,  F,    S,  S,     S,   S,  S,  S,    S}},
      {206, {S,   S,   S,   S,  F,    S,  S,     S,   S,  S,  S,    S}},
      {299, {S,   S,   S,   S,  F,    S,  S,     S,   S,  S,  S,    S}},
      {300, {R,   R,   F,   M,  F,    B,  F,     R,   R,  F,  R,    R}},
      {304, {R,   R,   F,   M,  F,    B,  F,     R,   R,  F,  R,    R}},
      {307, {R,   R,   F,   M,  F,    B,  F,     R,   R,  F,  R,    R}},
      {400, {F,   F,   F,   M,  F,    G,  F,     F,   F,  F,  F,    F}},
      {401, {T,   T,   T,   T,  T,    B,  T,     T,   T,  T,  F,    F}},
      {402, {F,   F,   F,   M,  F,    B,  F,     F,   F,  F,  F,    F}},
      {403, {F,   F,   F,   M,  F,    G,  F,     F,   F,  F,  U,    F}},
      {404, {N,   B,   N,   M,  B,    B,  G,     F,   F,  B,  N,    F}},
      {405, {F,   F,   F,   M,  F,    B,  F,     F,   F,  F,  F,    F}},
      {408, {R,   R,   R,   R,  R,    R,  R,     R,   R,  R,  R,    R}},
      {409, {F,   F,   F,   M,  F,    R,  F,     F,   F,  F,  F,    F}},
      {412, {F,   F,   F,   M,  F,    S,  F,     F,   F,  F,  F,    F}},
      {413, {F,   F,   F,   M,  F,    B,  F,     F,   F,  F,  F,    F}},
      {416, {E,   E,   F,   M,  F,    B,  F,     F,   F,  F,  F,    F}},
      {429, {R,   R,   R,   M,  R,    R,  R,     R,   R,  R,  R,    R}},
      {500, {R,   R,   R,   R,  R,    R,  R,     R,   R,  R,  R,    R}},
      {501, {F,   B,   F,   M,  F,    B,  F,     F,   F,  B,  F,    F}},
      {502, {R,   R,   R,   R,  R,    R,  R,     R,   R,  R,  R,    R}},
      {503, {R,   R,   R,   R,  R,    R,  R,     R,   R,  R,  R,    R}},
      {504, {R,   R,   R,   R,  R,    R,  R,     R,   R,  R,  R,    R}},
      {507, {F,   F,   F,   M,  F,    B,  F,     F,   F,  F,  F,    F}},
      {599, {R,   R,   R,   R,  R,    R,  R,     R,   R,  R,  R,    R}},
      {600, {F,   F,   F,   M,  F,    B,  F,     F,   F,  F,  F,    F}},
      {101, {F,   F,   F,   M,  F,    B,  F,     F,   F,  F,  F,    F}},
      {0,   {F,   F,   F,   M,  F,    B,  F,     F,   F,  F,  F,    F}},
  };
  // clang-format on
  for (const auto& row : rows) {
    for (size_t i = 0; i < kRoutes.size(); ++i) {
      EXPECT_EQ(judge(kRoutes[i], row.status), row.verdicts[i]) << "status " << row.status << ", route " << i;
    }
  }
}

TEST(Retry, EveryFaultOnEveryRoute) {
  struct Row {
    Fault fault;
    Verdict others, dedup, put;
  };
  const std::vector<Row> rows = {
      {Fault::kCancelled, F, F, F},         {Fault::kBadRequest, F, M, B}, {Fault::kResolve, R, R, R},
      {Fault::kConnect, R, R, R},           {Fault::kTls, R, R, R},        {Fault::kCertificate, F, M, B},
      {Fault::kNoAnswer, R, R, R},          {Fault::kStalled, R, R, R},    {Fault::kBroken, R, R, R},
      {Fault::kBadHttp, F, M, B},           {Fault::kRedirects, F, M, B},  {Fault::kTooLarge, F, M, B},
      {Fault::kRefusedByReceiver, F, F, F},
  };
  for (const auto& row : rows) {
    for (const Route route : kRoutes) {
      const Verdict expected = route == Route::kDedupQuery    ? row.dedup
                               : route == Route::kGrantUpload ? row.put
                                                              : row.others;
      EXPECT_EQ(judge(route, row.fault), expected)
          << "fault " << static_cast<int>(row.fault) << ", route " << static_cast<int>(route);
    }
  }
}

TEST(Retry, WhenRetriesAreUsedUp) {
  for (const Route route : kRoutes) {
    for (const int status : {0, 403, 408, 409, 429, 500, 503}) {
      Verdict expected = F;
      if (route == Route::kDedupQuery) expected = M;
      if (route == Route::kGrantUpload) expected = status == 409 ? G : B;
      EXPECT_EQ(after_retries(route, status), expected) << status << ", route " << static_cast<int>(route);
    }
  }
}

std::vector<milliseconds> ladder_of(milliseconds base, milliseconds cap = 360s) {
  const RetryLadder ladder{.base = base, .cap = cap};
  std::vector<milliseconds> out;
  for (size_t nth = 1; nth <= ladder.max_retries; ++nth) out.push_back(ladder.longest_sleep(nth));
  return out;
}

TEST(Retry, SleepsGrowAsThoseOfTheGenuineClientAndByTwoBelowTwoSeconds) {
  using Sleeps = std::vector<milliseconds>;
  EXPECT_EQ(ladder_of(3s), Sleeps({3s, 9s, 27s, 81s, 243s}));
  EXPECT_EQ(ladder_of(2500ms), Sleeps({2500ms, 5s, 10s, 20s, 40s}));
  EXPECT_EQ(ladder_of(10s), Sleeps({10s, 100s, 360s, 360s, 360s}));
  EXPECT_EQ(ladder_of(1500ms), Sleeps({1500ms, 3s, 6s, 12s, 24s}));
  EXPECT_EQ(ladder_of(1s), Sleeps({1s, 2s, 4s, 8s, 16s}));
  EXPECT_EQ(ladder_of(500ms), Sleeps({500ms, 1s, 2s, 4s, 8s}));
  EXPECT_EQ(ladder_of(0ms), Sleeps({1ms, 2ms, 4ms, 8ms, 16ms}));
  EXPECT_EQ(ladder_of(3s, 1s), Sleeps({1s, 1s, 1s, 1s, 1s}));
  EXPECT_EQ(ladder_of(3s, 0s), Sleeps({0s, 0s, 0s, 0s, 0s}));
  EXPECT_EQ(ladder_of(milliseconds::max(), milliseconds::max()).back(), milliseconds::max());
  EXPECT_EQ((RetryLadder{.base = 3s, .cap = milliseconds::max()}.longest_sleep(10'000)), milliseconds::max());
}

TEST(Retry, JitterTakesAnyPartOfASleepButNotLessThanTheServerAskedFor) {
  const RetryLadder ladder;
  EXPECT_EQ(ladder.sleep(2, 0.0, std::nullopt), 0ms);
  EXPECT_EQ(ladder.sleep(2, 0.5, std::nullopt), 4500ms);
  EXPECT_EQ(ladder.sleep(2, 0.999, std::nullopt), 8991ms);
  EXPECT_EQ(ladder.sleep(2, 0.0, 7s), 7s);
  EXPECT_EQ(ladder.sleep(2, 0.999, 7s), 8991ms);
  EXPECT_EQ(ladder.sleep(2, 0.0, 24h), 600s);
  EXPECT_EQ(ladder.sleep(5, 0.9999, 1s), 242'975ms);
}

TEST(Retry, RetryAfterIsSecondsOrADate) {
  const auto now = std::chrono::sys_days(1994y / 11 / 6) + 8h + 49min + 30s + 250ms;
  const std::vector<std::pair<std::string, std::optional<milliseconds>>> rows = {
      {"0", 0ms},
      {"7", 7s},
      {" 7\t", 7s},
      {"007", 7s},
      {"600", 600s},
      {"601", 600s},
      {"99999999999999999999999999", 600s},
      {"Sun, 06 Nov 1994 08:49:37 GMT", 6750ms},
      {"Sunday, 06-Nov-94 08:49:37 GMT", 6750ms},
      {"Sun Nov  6 08:49:37 1994", 6750ms},
      {"Sun, 06 Nov 1994 08:49:30 GMT", 0ms},
      {"Sun, 06 Nov 1993 08:49:30 GMT", 0ms},
      {"Sun, 06 Nov 1994 08:59:31 GMT", 600s},
      {"Fri, 31 Dec 9999 23:59:59 GMT", 600s},
      {"", std::nullopt},
      {"-1", std::nullopt},
      {"+1", std::nullopt},
      {"1.5", std::nullopt},
      {"1e3", std::nullopt},
      {"7 s", std::nullopt},
      {"soon", std::nullopt},
      {"Sun, 06 Nov 1994 08:49:37", std::nullopt},
  };
  for (const auto& [text, expected] : rows) EXPECT_EQ(parse_retry_after(text, now), expected) << text;
  EXPECT_EQ(retry_after({{"date", "x"}, {"retry-after", "3"}}, now), 3s);
  EXPECT_EQ(retry_after({{"Retry-After", "?"}}, now), std::nullopt);
  EXPECT_EQ(retry_after({}, now), std::nullopt);
}

TEST(Retry, PatienceOfEveryRoute) {
  for (const Route route : kRoutes) {
    const Patience patience = patience_for(route);
    EXPECT_EQ(patience.connect, 60s);
    EXPECT_EQ(patience.stall, route == Route::kShardV2 ? 60s : 30s);
    milliseconds first = 300s;
    switch (route) {
      case Route::kReconstructV1:
      case Route::kReconstructV2:
      case Route::kFileSize:
      case Route::kDedupQuery:
      case Route::kFetch:
        first = 30s;
        break;
      case Route::kShardV1:
        first = Patience::kForever;
        break;
      default:
        break;
    }
    EXPECT_EQ(patience.first_byte, first) << static_cast<int>(route);
  }
  const Patience set = patience_for(Route::kFetch, {.connect = 1ms, .stall = 2ms, .answer = 3ms});
  EXPECT_EQ(set.connect, 1ms);
  EXPECT_EQ(set.stall, 2ms);
  EXPECT_EQ(set.first_byte, 3ms);
  EXPECT_EQ(patience_for(Route::kXorbUpload, {.slow_answer = 4ms}).first_byte, 4ms);
}

}  // namespace
}  // namespace xet::net
