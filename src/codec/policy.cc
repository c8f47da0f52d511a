#include "codec/policy.h"

#include <algorithm>
#include <string>

namespace xet::codec {

std::optional<Policy> parse_policy(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  if (lower.empty() || lower == "auto") return Policy::kAuto;
  if (lower == "none") return Policy::kNone;
  if (lower == "lz4") return Policy::kLz4;
  if (lower == "bg4-lz4") return Policy::kBg4Lz4;
  return std::nullopt;
}

}  // namespace xet::codec
