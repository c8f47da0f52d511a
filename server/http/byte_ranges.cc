#include "server/http/byte_ranges.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace xet::http {

namespace {

constexpr std::string_view kUnit = "bytes=";

bool has_unit(std::string_view header) {
  if (header.size() < kUnit.size()) return false;
  // Names of units do not care for case.
  return std::ranges::equal(header.substr(0, kUnit.size()), kUnit, [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + ('a' - 'A')) : a) == b;
  });
}

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

/// Empty text is fine and gives nothing.
bool parse_number(std::string_view text, std::optional<uint64_t>& out) {
  if (text.empty()) return true;
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return false;
  out = value;
  return true;
}

std::optional<RangeSpec> parse_spec(std::string_view text) {
  const size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  RangeSpec out;
  if (!parse_number(text.substr(0, dash), out.first)) return std::nullopt;
  if (!parse_number(text.substr(dash + 1), out.last)) return std::nullopt;
  if (!out.first && !out.last) return std::nullopt;
  if (!out.first && *out.last == 0) return std::nullopt;
  if (out.first && out.last && *out.first > *out.last) return std::nullopt;
  return out;
}

}  // namespace

std::optional<ByteRange> RangeSpec::resolve(uint64_t size) const {
  if (!first) {
    if (size == 0) return std::nullopt;
    return ByteRange{.begin = size - std::min(size, *last), .end = size};
  }
  if (*first >= size) return std::nullopt;
  return ByteRange{.begin = *first, .end = last && *last < size ? *last + 1 : size};
}

Result<std::vector<RangeSpec>> parse_range_header(std::string_view header, size_t max_ranges) {
  const auto malformed = [] { return fail(ErrorCode::kInvalidArgument, "the Range header is malformed"); };
  header = trimmed(header);
  if (!has_unit(header)) return malformed();
  header.remove_prefix(kUnit.size());
  std::vector<RangeSpec> out;
  for (;;) {
    const size_t end = std::min(header.find(','), header.size());
    const auto spec = parse_spec(trimmed(header.substr(0, end)));
    if (!spec) return malformed();
    if (out.size() == max_ranges) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("the Range header has more than {} ranges", max_ranges));
    }
    out.push_back(*spec);
    if (end == header.size()) return out;
    header.remove_prefix(end + 1);
  }
}

}  // namespace xet::http
