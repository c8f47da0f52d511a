#include "codec/xxh32.h"

#include <array>
#include <bit>

namespace xet::codec {
namespace {

constexpr uint32_t kPrime1 = 0x9E3779B1U;
constexpr uint32_t kPrime2 = 0x85EBCA77U;
constexpr uint32_t kPrime3 = 0xC2B2AE3DU;
constexpr uint32_t kPrime4 = 0x27D4EB2FU;
constexpr uint32_t kPrime5 = 0x165667B1U;

uint32_t load32(const std::byte* at) {
  uint32_t value;
  std::memcpy(&value, at, sizeof value);
  return from_little_endian(value);
}

}  // namespace

uint32_t xxh32(ByteSpan bytes) {
  const std::byte* at = bytes.data();
  size_t left = bytes.size();
  uint32_t h = kPrime5;
  if (left >= 16) {
    std::array<uint32_t, 4> lanes = {kPrime1 + kPrime2, kPrime2, 0, 0U - kPrime1};
    for (; left >= 16; left -= 16) {
      for (auto& lane : lanes) {
        lane = std::rotl(lane + load32(at) * kPrime2, 13) * kPrime1;
        at += 4;
      }
    }
    h = std::rotl(lanes[0], 1) + std::rotl(lanes[1], 7) + std::rotl(lanes[2], 12) + std::rotl(lanes[3], 18);
  }
  h += static_cast<uint32_t>(bytes.size());
  for (; left >= 4; left -= 4, at += 4) h = std::rotl(h + load32(at) * kPrime3, 17) * kPrime4;
  for (; left > 0; --left, ++at) h = std::rotl(h + std::to_integer<uint32_t>(*at) * kPrime5, 11) * kPrime1;
  h = (h ^ (h >> 15)) * kPrime2;
  h = (h ^ (h >> 13)) * kPrime3;
  return h ^ (h >> 16);
}

}  // namespace xet::codec
