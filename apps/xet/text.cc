#include "apps/xet/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "apps/xet/names.h"
#include "base/try.h"

namespace xet::cli {

std::string human_bytes(uint64_t bytes) {
  constexpr std::array<std::string_view, 7> kUnits = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  if (bytes < 1000) return fmt::format("{} B", bytes);
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  // 999.5 would print as "1000": it belongs to the next unit.
  while (value >= 999.5 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f} {}", value, decimals, kUnits[unit]);
}

std::string human_seconds(double seconds) {
  if (seconds < 9.995) return fmt::format("{:.2f} s", seconds);
  if (seconds < 119.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<uint64_t>(std::llround(seconds));
  if (whole < 7200) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

std::string human_rate(uint64_t bytes, double seconds) {
  if (!(seconds > 0)) return "-";
  // Beyond this a rate means nothing, and the conversion below would overflow.
  const double rate = std::min(static_cast<double>(bytes) / seconds, 1e18);
  return human_bytes(static_cast<uint64_t>(rate)) + "/s";
}

namespace {
bool all_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}
}  // namespace

Result<uint64_t> parse_number(std::string_view text, std::string_view what) {
  uint64_t value = 0;
  if (all_digits(text)) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc{} && end == text.data() + text.size()) return value;
  }
  return fail(ErrorCode::kInvalidArgument, fmt::format("{} '{}' is not a number", what, one_line(text)));
}

Result<uint64_t> parse_size(std::string_view text) {
  const auto bad = [&] {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("'{}' is not a size: write a number with K, M, G or T, such as 512M or 1.5G",
                            one_line(text)));
  };
  const size_t end = std::min(text.find_first_not_of("0123456789."), text.size());
  const std::string_view digits = text.substr(0, end);
  std::string unit(text.substr(end));
  for (char& c : unit) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;

  double value = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (digits.empty() || parsed.ec != std::errc{} || parsed.ptr != digits.data() + digits.size()) return bad();

  double factor = 1;
  if (!unit.empty() && unit != "b") {
    const size_t power = std::string_view("kmgt").find(unit.front());
    if (power == std::string_view::npos) return bad();
    const std::string_view rest = std::string_view(unit).substr(1);
    if (!rest.empty() && rest != "b" && rest != "ib") return bad();
    factor = std::pow(rest == "b" ? 1000.0 : 1024.0, static_cast<double>(power + 1));
  }
  if (value * factor >= 9e18) return bad();
  return static_cast<uint64_t>(value * factor);
}

Result<FileRange> parse_range(std::string_view text) {
  const auto bad = [&](std::string_view why) {
    return fail(
        ErrorCode::kInvalidArgument,
        fmt::format("'{}' is not a range{}: write FIRST-LAST (both bytes included, counted from 0) or "
                    "FIRST- for all the rest",
                    one_line(text), why));
  };
  const size_t dash = text.find('-');
  if (dash == std::string_view::npos) return bad("");
  const auto first = parse_number(text.substr(0, dash), "range");
  if (!first) return bad("");
  if (dash + 1 == text.size()) return FileRange{.begin = *first, .end = UINT64_MAX};
  const auto last = parse_number(text.substr(dash + 1), "range");
  if (!last) return bad("");
  if (*last < *first) return bad(" (it ends before it begins)");
  return FileRange{.begin = *first, .end = *last == UINT64_MAX ? UINT64_MAX : *last + 1};
}

Result<FileHash> parse_file_hash(std::string_view text) {
  if (const auto hash = FileHash::from_hex(text)) return *hash;
  return fail(ErrorCode::kInvalidArgument,
              fmt::format("'{}' is not a Xet hash: 64 hexadecimal digits are expected, as `xet upload` and "
                          "`xet hash` print them",
                          one_line(text)));
}

}  // namespace xet::cli
