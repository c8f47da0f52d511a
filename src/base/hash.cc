#include "xet/hash.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace xet::detail {

namespace {
/// Each group of 8 bytes mirrored: the raw form and the one that is printed byte by byte, either way round.
std::array<std::byte, 32> mirrored(std::span<const std::byte, 32> bytes) {
  std::array<std::byte, 32> out;
  for (size_t i = 0; i < out.size(); ++i) out[i ^ 7] = bytes[i];
  return out;
}
}  // namespace

std::string hash_to_hex(std::span<const std::byte, 32> raw) {
  return to_hex(mirrored(raw));
}

bool hash_from_hex(std::string_view hex, std::span<std::byte, 32> raw) {
  std::array<std::byte, 32> printed;
  if (!from_hex(hex, printed)) return false;
  std::ranges::copy(mirrored(printed), raw.begin());
  return true;
}

}  // namespace xet::detail
