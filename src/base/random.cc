#include "base/random.h"

#include <cstdint>
#include <random>

#include "base/bytes.h"
#include "base/text.h"

namespace xet {

double random_fraction() {
  std::random_device device;
  static_assert(std::random_device::min() == 0 && std::random_device::max() == UINT32_MAX);
  return static_cast<double>(device()) / 4294967296.0;
}

std::string random_hex(size_t n_bytes) {
  std::random_device device;
  ByteVector bytes(n_bytes);
  for (auto& byte : bytes) byte = static_cast<std::byte>(device());
  return to_hex(bytes);
}

}  // namespace xet
