#include "cas/session_id.h"

#include <fmt/format.h>

#include <cstdint>

#include "base/clock.h"

namespace xet::cas {

std::string make_session_id(std::chrono::system_clock::time_point now,
                            const std::function<double()>& random) {
  const auto bits = [&](uint64_t count) {
    return static_cast<uint64_t>(random() * static_cast<double>(uint64_t{1} << count));
  };
  const auto time = static_cast<uint64_t>(unix_milliseconds(now)) & 0xffff'ffff'ffff;
  return fmt::format("{:08x}-{:04x}-7{:03x}-{:x}{:03x}-{:06x}{:06x}", time >> 16, time & 0xffff, bits(12),
                     8 + bits(2), bits(12), bits(24), bits(24));
}

}  // namespace xet::cas
