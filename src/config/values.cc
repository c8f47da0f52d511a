#include "config/values.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string>

namespace xet::config {

namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

/// The finite number at the front of `text`, which loses it.
std::optional<double> take_number(std::string_view& text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || !std::isfinite(value)) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return value;
}

struct Unit {
  std::string_view name;
  double factor;
};

constexpr double kDay = 86'400'000;
constexpr std::array kDurationUnits = {
    // in milliseconds
    Unit{"ns", 1e-6},
    Unit{"nsec", 1e-6},
    Unit{"nanos", 1e-6},
    Unit{"us", 1e-3},
    Unit{"usec", 1e-3},
    Unit{"micros", 1e-3},
    Unit{"µs", 1e-3},
    Unit{"ms", 1},
    Unit{"msec", 1},
    Unit{"millis", 1},
    Unit{"s", 1e3},
    Unit{"sec", 1e3},
    Unit{"secs", 1e3},
    Unit{"second", 1e3},
    Unit{"seconds", 1e3},
    Unit{"m", 6e4},
    Unit{"min", 6e4},
    Unit{"mins", 6e4},
    Unit{"minute", 6e4},
    Unit{"minutes", 6e4},
    Unit{"h", 36e5},
    Unit{"hr", 36e5},
    Unit{"hrs", 36e5},
    Unit{"hour", 36e5},
    Unit{"hours", 36e5},
    Unit{"d", kDay},
    Unit{"day", kDay},
    Unit{"days", kDay},
    Unit{"w", 7 * kDay},
    Unit{"wk", 7 * kDay},
    Unit{"wks", 7 * kDay},
    Unit{"week", 7 * kDay},
    Unit{"weeks", 7 * kDay},
    Unit{"M", 30.44 * kDay},
    Unit{"month", 30.44 * kDay},
    Unit{"months", 30.44 * kDay},
    Unit{"y", 365.25 * kDay},
    Unit{"yr", 365.25 * kDay},
    Unit{"yrs", 365.25 * kDay},
    Unit{"year", 365.25 * kDay},
    Unit{"years", 365.25 * kDay},
};

constexpr std::array kByteUnits = {
    Unit{"", 1},
    Unit{"b", 1},
    Unit{"kb", 1e3},
    Unit{"mb", 1e6},
    Unit{"gb", 1e9},
    Unit{"tb", 1e12},
    Unit{"pb", 1e15},
    Unit{"kib", 1024.0},
    Unit{"mib", 1048576.0},
    Unit{"gib", 1073741824.0},
    Unit{"tib", 1099511627776.0},
    Unit{"pib", 1125899906842624.0},
};

template <size_t N>
std::optional<double> factor_of(const std::array<Unit, N>& units, std::string_view name) {
  const auto found =
      std::find_if(units.begin(), units.end(), [&](const Unit& unit) { return unit.name == name; });
  return found == units.end() ? std::nullopt : std::optional(found->factor);
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

std::optional<uint64_t> parse_count(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<bool> parse_bool(std::string_view text) {
  const std::string word = lower(trimmed(text));
  for (const std::string_view yes : {"1", "true", "yes", "y", "on"}) {
    if (word == yes) return true;
  }
  for (const std::string_view no : {"0", "false", "no", "n", "off"}) {
    if (word == no) return false;
  }
  return std::nullopt;
}

std::optional<uint64_t> parse_bytes(std::string_view text) {
  text = trimmed(text);
  const auto number = take_number(text);
  if (!number) return std::nullopt;
  const auto factor = factor_of(kByteUnits, lower(trimmed(text)));
  if (!factor) return std::nullopt;
  const double bytes = std::round(*number * *factor);
  if (bytes <= 0) return 0;
  constexpr double kTooMuch = 18446744073709551616.0;  // 2^64
  return bytes >= kTooMuch ? UINT64_MAX : static_cast<uint64_t>(bytes);
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  text = trimmed(text);
  if (text == "0") return std::chrono::milliseconds(0);
  if (text.empty()) return std::nullopt;
  double total = 0;
  while (!text.empty()) {
    const auto number = take_number(text);
    if (!number || *number < 0) return std::nullopt;
    text = trimmed(text);
    size_t len = 0;
    while (len < text.size() && !is_blank(text[len]) && (text[len] < '0' || text[len] > '9')) ++len;
    const auto factor = factor_of(kDurationUnits, text.substr(0, len));
    if (!factor) return std::nullopt;
    total += *number * *factor;
    text = trimmed(text.substr(len));
  }
  constexpr double kTooLong = 9e15;  // milliseconds; a double counts them exactly up to here
  return std::chrono::milliseconds(static_cast<int64_t>(std::ceil(std::min(total, kTooLong))));
}

}  // namespace xet::config
