#include "xet/hash.h"

namespace xet::detail {

namespace {
constexpr char kDigits[] = "0123456789abcdef";

constexpr int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Byte i of the raw form is printed at byte position i with its place in the 8-byte group mirrored.
constexpr size_t printed_position(size_t i) {
  return i ^ 7;
}
}  // namespace

std::string hash_to_hex(std::span<const std::byte, 32> raw) {
  std::string out(64, '0');
  for (size_t i = 0; i < raw.size(); ++i) {
    const auto byte = std::to_integer<unsigned>(raw[i]);
    const size_t at = 2 * printed_position(i);
    out[at] = kDigits[byte >> 4];
    out[at + 1] = kDigits[byte & 15];
  }
  return out;
}

bool hash_from_hex(std::string_view hex, std::span<std::byte, 32> raw) {
  if (hex.size() != 2 * raw.size()) return false;
  for (size_t i = 0; i < raw.size(); ++i) {
    const size_t at = 2 * printed_position(i);
    const int high = digit_value(hex[at]);
    const int low = digit_value(hex[at + 1]);
    if (high < 0 || low < 0) return false;
    raw[i] = static_cast<std::byte>(high << 4 | low);
  }
  return true;
}

}  // namespace xet::detail
