#include <algorithm>

#include "base/text.h"
#include "server/store/hub_store.h"

namespace xet::store {

std::string GitId::hex() const {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(2 * raw.size());
  for (const std::byte byte : raw) {
    out.push_back(kDigits[std::to_integer<size_t>(byte) >> 4]);
    out.push_back(kDigits[std::to_integer<size_t>(byte) & 15]);
  }
  return out;
}

std::optional<GitId> GitId::from_hex(std::string_view hex) {
  GitId out;
  if (hex.size() != 2 * out.raw.size()) return std::nullopt;
  for (size_t i = 0; i < out.raw.size(); ++i) {
    const auto high = hex_digit(hex[2 * i]);
    const auto low = hex_digit(hex[2 * i + 1]);
    if (!high || !low) return std::nullopt;
    out.raw[i] = static_cast<std::byte>(*high << 4 | *low);
  }
  return out;
}

std::optional<GitId> GitId::from_raw(ByteSpan bytes) {
  GitId out;
  if (bytes.size() != out.raw.size()) return std::nullopt;
  std::ranges::copy(bytes, out.raw.begin());
  return out;
}

}  // namespace xet::store
