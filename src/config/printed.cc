#include "config/printed.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdlib>

namespace xet::config {

namespace {

struct CodePoint {
  char32_t value;
  size_t n_bytes;  ///< 0: the bytes here are none
};

/// The one at the front of `text`, which is not empty. Neither overlong forms nor surrogates are.
CodePoint first_code_point(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const size_t n_bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < n_bytes) return {0, 0};
  char32_t value = lead & (0x7f >> n_bytes);
  for (size_t i = 1; i < n_bytes; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {0, 0};
    value = (value << 6) | (byte(i) & 0x3f);
  }
  constexpr std::array<char32_t, 5> kLeast = {0, 0, 0x80, 0x800, 0x10000};
  if (value < kLeast[n_bytes] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) return {0, 0};
  return {value, n_bytes};
}

/// What shows nothing of itself, or not alone. Rust has a longer list; these are the ranges one may meet.
bool is_hidden(char32_t c) {
  constexpr std::pair<char32_t, char32_t> kRanges[] = {
      {0x00, 0x1f},     {0x7f, 0xa0},     {0xad, 0xad},     {0x300, 0x36f},   {0x200b, 0x200f},
      {0x2028, 0x202f}, {0x205f, 0x206f}, {0xe000, 0xf8ff}, {0xfeff, 0xfeff}, {0xe0000, 0x10ffff},
  };
  return std::any_of(std::begin(kRanges), std::end(kRanges),
                     [&](const auto& range) { return c >= range.first && c <= range.second; });
}

template <class T>
std::string shortest(T value) {
  char buffer[64] = {};
  const auto end = std::to_chars(buffer, std::end(buffer) - 1, value, std::chars_format::scientific).ptr;
  std::string_view text(buffer, static_cast<size_t>(end - buffer));
  // "[-]d[.ddd]e±dd": take it apart, put it together the other way.
  const size_t at_exponent = text.find('e');
  if (at_exponent == std::string_view::npos) return std::string(text);  // inf, nan: no field holds them
  const std::string_view sign = text.starts_with('-') ? "-" : "";
  std::string digits(text.substr(sign.size(), at_exponent - sign.size()));
  std::erase(digits, '.');
  const int exponent = std::atoi(text.data() + at_exponent + 1);
  constexpr int kLeastPlain = -5, kMostPlain = 16;  // 0.0001 and 1000000000000000.0 are still plain
  if (exponent <= kLeastPlain || exponent >= kMostPlain) {
    return fmt::format("{}{}{}{}e{}", sign, digits[0], digits.size() > 1 ? "." : "", digits.substr(1),
                       exponent);
  }
  if (exponent < 0)
    return fmt::format("{}0.{}{}", sign, std::string(static_cast<size_t>(-exponent - 1), '0'), digits);
  const auto n_whole = static_cast<size_t>(exponent) + 1;
  if (digits.size() <= n_whole) digits.resize(n_whole + 1, '0');
  return fmt::format("{}{}.{}", sign, digits.substr(0, n_whole), digits.substr(n_whole));
}

}  // namespace

std::string debug_text(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const auto [c, n_bytes] = first_code_point(text);
    if (n_bytes == 0) {
      out += "\ufffd";
      text.remove_prefix(1);
      continue;
    }
    if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == 0) {
      out += "\\0";
    } else if (is_hidden(c)) {
      out += fmt::format("\\u{{{:x}}}", static_cast<uint32_t>(c));
    } else {
      out += text.substr(0, n_bytes);
    }
    text.remove_prefix(n_bytes);
  }
  return out + '"';
}

std::string debug_number(double value) {
  return shortest(value);
}

std::string debug_number(float value) {
  return shortest(value);
}

std::string debug_bytes(uint64_t bytes) {
  constexpr std::array<std::string_view, 6> kUnits = {"B", "kB", "MB", "GB", "TB", "PB"};
  uint64_t unit = 1;
  size_t i = 0;
  for (; i + 1 < kUnits.size() && bytes / 1000 >= unit; ++i) unit *= 1000;
  if (bytes % unit == 0) return fmt::format("{}{}", bytes / unit, kUnits[i]);
  return fmt::format("{:.3f}{}", static_cast<double>(bytes) / static_cast<double>(unit), kUnits[i]);
}

std::string debug_duration(std::chrono::nanoseconds duration) {
  struct Unit {
    std::string_view name;
    uint64_t ns;
    int n_decimals;
  };
  constexpr std::array kUnits = {Unit{"s", 1'000'000'000, 9}, Unit{"ms", 1'000'000, 6}, Unit{"µs", 1'000, 3},
                                 Unit{"ns", 1, 0}};
  const auto ns = static_cast<uint64_t>(duration.count());
  const auto* unit = kUnits.begin();
  while (unit->ns > 1 && ns < unit->ns) ++unit;
  std::string fraction;
  if (const uint64_t rest = ns % unit->ns; rest > 0) {
    fraction = fmt::format(".{:0{}}", rest, unit->n_decimals);
    fraction.resize(fraction.find_last_not_of('0') + 1);
  }
  return fmt::format("{}{}{}", ns / unit->ns, fraction, unit->name);
}

}  // namespace xet::config
