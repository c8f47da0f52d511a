#include "base/base64.h"

#include <array>
#include <cstdint>

namespace xet {

namespace {

constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr uint8_t kNoDigit = 64;

constexpr std::array<uint8_t, 256> make_values() {
  std::array<uint8_t, 256> out{};
  out.fill(kNoDigit);
  for (size_t i = 0; i < kDigits.size(); ++i) {
    out[static_cast<unsigned char>(kDigits[i])] = static_cast<uint8_t>(i);
  }
  return out;
}
constexpr std::array<uint8_t, 256> kValues = make_values();

}  // namespace

void append_base64url(std::string& out, ByteSpan bytes) {
  uint32_t bits = 0;
  int n_bits = 0;
  for (const std::byte each : bytes) {
    bits = (bits << 8) | std::to_integer<uint32_t>(each);
    for (n_bits += 8; n_bits >= 6;) {
      n_bits -= 6;
      out += kDigits[(bits >> n_bits) & 0x3f];
    }
  }
  if (n_bits > 0) out += kDigits[(bits << (6 - n_bits)) & 0x3f];
}

std::string to_base64url(ByteSpan bytes) {
  std::string out;
  out.reserve((bytes.size() * 4 + 2) / 3);
  append_base64url(out, bytes);
  return out;
}

std::optional<ByteVector> from_base64url(std::string_view text) {
  if (text.size() % 4 == 1) return std::nullopt;
  ByteVector out;
  out.reserve(text.size() * 3 / 4);
  uint32_t bits = 0;
  int n_bits = 0;
  for (const char each : text) {
    const uint32_t value = kValues[static_cast<unsigned char>(each)];
    if (value == kNoDigit) return std::nullopt;
    bits = (bits << 6) | value;
    n_bits += 6;
    if (n_bits < 8) continue;
    n_bits -= 8;
    out.push_back(static_cast<std::byte>((bits >> n_bits) & 0xff));
  }
  if ((bits & ((1U << n_bits) - 1)) != 0) return std::nullopt;
  return out;
}

std::string to_base64(ByteSpan bytes) {
  std::string out = to_base64url(bytes);
  for (char& c : out) {
    if (c == '-') c = '+';
    if (c == '_') c = '/';
  }
  out.append((4 - out.size() % 4) % 4, '=');
  return out;
}

std::optional<ByteVector> from_base64(std::string_view text) {
  const size_t n_padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  if (n_padding > 0 && text.size() % 4 != 0) return std::nullopt;
  std::string url_text(text.substr(0, text.size() - n_padding));
  for (char& c : url_text) {
    if (c == '-' || c == '_') return std::nullopt;
    if (c == '+') c = '-';
    if (c == '/') c = '_';
  }
  return from_base64url(url_text);
}

}  // namespace xet
