#include "cas/endpoint_tag.h"

#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "hash/blake3.h"

namespace xet::cas {

namespace {
constexpr size_t kReadableChars = 16;
constexpr size_t kHashBytes = 12;  // 16 digits in base 64
constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

bool is_alphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}
bool continues_character(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) == 0x80;
}
}  // namespace

std::string endpoint_tag(std::string_view endpoint) {
  std::string out;
  size_t n_chars = 0;
  for (const char c : endpoint) {
    const bool is_ascii = static_cast<unsigned char>(c) < 0x80;
    if (!continues_character(c) && n_chars++ == kReadableChars) break;
    // What is not ASCII in a URL is a letter as good as always.
    out.push_back(!is_ascii || is_alphanumeric(c) ? c : '_');
  }
  out.push_back('-');
  const auto hash = hash::shard_hash(as_byte_span(endpoint));
  for (size_t i = 0; i < kHashBytes; i += 3) {
    uint32_t group = 0;
    for (size_t b = 0; b < 3; ++b) group = group << 8 | std::to_integer<uint32_t>(hash.raw()[i + b]);
    for (int shift = 18; shift >= 0; shift -= 6) out.push_back(kDigits[group >> shift & 63U]);
  }
  return out;
}

}  // namespace xet::cas
