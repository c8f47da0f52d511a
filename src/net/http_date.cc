#include "net/http_date.h"

#include <algorithm>
#include <array>

namespace xet::net {

namespace {

using std::chrono::day;
using std::chrono::month;
using std::chrono::sys_days;
using std::chrono::sys_seconds;
using std::chrono::year;
using std::chrono::year_month_day;

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> kDays = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                                   "Friday", "Saturday", "Sunday"};

// Takes the parts of a date off the front of a text; after the first mistake nothing fits any more.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  bool literal(std::string_view text) {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }
  // Exactly `n_digits` digits. `blank_first`: a blank may stand for a leading zero.
  std::optional<unsigned> number(size_t n_digits, bool blank_first = false) {
    if (rest_.size() < n_digits) return std::nullopt;
    unsigned value = 0;
    for (size_t i = 0; i < n_digits; ++i) {
      const char c = i == 0 && blank_first && rest_[0] == ' ' ? '0' : rest_[i];
      if (c < '0' || c > '9') return std::nullopt;
      value = value * 10 + static_cast<unsigned>(c - '0');
    }
    rest_.remove_prefix(n_digits);
    return value;
  }
  bool day_name(bool whole) {
    return std::ranges::any_of(kDays, [&](auto name) { return literal(whole ? name : name.substr(0, 3)); });
  }
  std::optional<unsigned> month_name() {
    for (unsigned i = 0; i < kMonths.size(); ++i) {
      if (literal(kMonths[i])) return i + 1;
    }
    return std::nullopt;
  }
  // hh:mm:ss; a leap second counts as the one before it.
  std::optional<std::chrono::seconds> time() {
    const auto hours = number(2);
    const bool colon = literal(":");
    const auto minutes = number(2);
    const bool colon2 = literal(":");
    const auto seconds = number(2);
    if (!hours || !minutes || !seconds || !colon || !colon2) return std::nullopt;
    if (*hours > 23 || *minutes > 59 || *seconds > 60) return std::nullopt;
    return std::chrono::hours(*hours) + std::chrono::minutes(*minutes) +
           std::chrono::seconds(std::min(*seconds, 59U));
  }
  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

std::optional<sys_seconds> join(unsigned y, unsigned m, unsigned d, std::chrono::seconds time) {
  const year_month_day date(year(static_cast<int>(y)), month(m), day(d));
  if (!date.ok()) return std::nullopt;
  return sys_days(date) + time;
}

std::optional<sys_seconds> parse_fixdate(std::string_view text) {
  Scanner in(text);
  if (!in.day_name(false) || !in.literal(", ")) return std::nullopt;
  const auto d = in.number(2);
  if (!d || !in.literal(" ")) return std::nullopt;
  const auto m = in.month_name();
  if (!m || !in.literal(" ")) return std::nullopt;
  const auto y = in.number(4);
  if (!y || !in.literal(" ")) return std::nullopt;
  const auto time = in.time();
  if (!time || !in.literal(" GMT") || !in.at_end()) return std::nullopt;
  return join(*y, *m, *d, *time);
}

std::optional<sys_seconds> parse_rfc850(std::string_view text, std::chrono::system_clock::time_point now) {
  Scanner in(text);
  if (!in.day_name(true) || !in.literal(", ")) return std::nullopt;
  const auto d = in.number(2);
  if (!d || !in.literal("-")) return std::nullopt;
  const auto m = in.month_name();
  if (!m || !in.literal("-")) return std::nullopt;
  const auto yy = in.number(2);
  if (!yy || !in.literal(" ")) return std::nullopt;
  const auto time = in.time();
  if (!time || !in.literal(" GMT") || !in.at_end()) return std::nullopt;
  const year_month_day today(std::chrono::floor<std::chrono::days>(now));
  const auto this_year = static_cast<unsigned>(static_cast<int>(today.year()));
  unsigned y = this_year - this_year % 100 + *yy;
  if (y > this_year + 50) y -= 100;
  return join(y, *m, *d, *time);
}

std::optional<sys_seconds> parse_asctime(std::string_view text) {
  Scanner in(text);
  if (!in.day_name(false) || !in.literal(" ")) return std::nullopt;
  const auto m = in.month_name();
  if (!m || !in.literal(" ")) return std::nullopt;
  const auto d = in.number(2, true);
  if (!d || !in.literal(" ")) return std::nullopt;
  const auto time = in.time();
  if (!time || !in.literal(" ")) return std::nullopt;
  const auto y = in.number(4);
  if (!y || !in.at_end()) return std::nullopt;
  return join(*y, *m, *d, *time);
}

}  // namespace

std::optional<sys_seconds> parse_http_date(std::string_view text, std::chrono::system_clock::time_point now) {
  if (auto date = parse_fixdate(text)) return date;
  if (auto date = parse_rfc850(text, now)) return date;
  return parse_asctime(text);
}

}  // namespace xet::net
