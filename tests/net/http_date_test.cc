#include "net/http_date.h"

#include <gtest/gtest.h>

namespace xet::net {
namespace {

using std::chrono::sys_days;
using std::chrono::system_clock;
using namespace std::chrono_literals;

constexpr system_clock::time_point kNow = sys_days(2026y / 3 / 1) + 12h;

std::optional<int64_t> seconds_of(std::string_view text) {
  const auto date = parse_http_date(text, kNow);
  return date ? std::optional(static_cast<int64_t>(date->time_since_epoch().count())) : std::nullopt;
}

TEST(HttpDate, ReadsItsThreeForms) {
  constexpr int64_t kExample = 784111777;
  EXPECT_EQ(seconds_of("Sun, 06 Nov 1994 08:49:37 GMT"), kExample);
  EXPECT_EQ(seconds_of("Sunday, 06-Nov-94 08:49:37 GMT"), kExample);
  EXPECT_EQ(seconds_of("Sun Nov  6 08:49:37 1994"), kExample);
  EXPECT_EQ(seconds_of("Sun Nov 16 08:49:37 1994"), kExample + 864000);
  EXPECT_EQ(seconds_of("Thu, 01 Jan 1970 00:00:00 GMT"), 0);
  EXPECT_EQ(seconds_of("Thu, 29 Feb 2024 23:59:60 GMT"), 1709251199) << "a leap second";
}

TEST(HttpDate, YearsOfTwoDigitsAreNoMoreThanFiftyAhead) {
  EXPECT_EQ(seconds_of("Monday, 01-Jan-76 00:00:00 GMT"), 3345062400) << "2076";
  EXPECT_EQ(seconds_of("Monday, 01-Jan-77 00:00:00 GMT"), 220924800) << "1977";
}

TEST(HttpDate, RefusesWhatIsNotExactlyOne) {
  for (const auto* const text : {
           "",
           "Sun, 06 Nov 1994 08:49:37",
           "Sun, 06 Nov 1994 08:49:37 UTC",
           "Sun, 06 Nov 1994 08:49:37 GMT ",
           "Sun, 6 Nov 1994 08:49:37 GMT",
           "sun, 06 Nov 1994 08:49:37 GMT",
           "Sun, 06 nov 1994 08:49:37 GMT",
           "Sun, 06 Nov 94 08:49:37 GMT",
           "Sun, 31 Feb 1994 08:49:37 GMT",
           "Sun, 00 Nov 1994 08:49:37 GMT",
           "Sun, 06 Nov 1994 24:49:37 GMT",
           "Sun, 06 Nov 1994 08:60:37 GMT",
           "Sun, 06 Nov 1994 08:49:61 GMT",
           "Sun, +6 Nov 1994 08:49:37 GMT",
           "Sun, 29 Feb 2023 08:49:37 GMT",
           "Sunday, 06-Nov-1994 08:49:37 GMT",
           "Sun, 06-Nov-94 08:49:37 GMT",
           "Sun Nov 6 08:49:37 1994",
           "Sun Nov  6 08:49:37 94",
           "Xxx, 06 Nov 1994 08:49:37 GMT",
       }) {
    EXPECT_EQ(seconds_of(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace xet::net
