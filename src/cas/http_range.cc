#include "cas/http_range.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace xet::cas {

namespace {
constexpr std::string_view kUnit = "bytes ";
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
}  // namespace

std::string range_value(const ByteRange& range) {
  return fmt::format("bytes={}-{}", range.begin, range.end - 1);
}

std::optional<uint64_t> parse_decimal(std::string_view digits) {
  if (digits.empty() || !std::all_of(digits.begin(), digits.end(), is_digit)) return std::nullopt;
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

std::optional<ContentRange> parse_content_range(std::string_view value) {
  if (!value.starts_with(kUnit)) return std::nullopt;
  value.remove_prefix(kUnit.size());
  const size_t dash = value.find('-');
  const size_t slash = value.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || dash > slash) return std::nullopt;
  const auto first = parse_decimal(value.substr(0, dash));
  const auto last = parse_decimal(value.substr(dash + 1, slash - dash - 1));
  if (!first || !last || *last < *first || *last == UINT64_MAX) return std::nullopt;
  ContentRange out{{*first, *last + 1}, std::nullopt};
  const auto total = value.substr(slash + 1);
  if (total == "*") return out;
  out.total = parse_decimal(total);
  if (!out.total || *out.total < out.bytes.end) return std::nullopt;
  return out;
}

}  // namespace xet::cas
