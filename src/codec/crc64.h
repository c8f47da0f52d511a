#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/bytes.h"

namespace xet::codec {

/// CRC-64/NVME, the checksum by which an upload grant names a xorb body: reflected polynomial
/// 9a6c9329ac4bc9b5, all ones in and out. On the wire it is a decimal string.
///
///     Crc64 crc;
///     for (ByteSpan piece : body.pieces) crc.update(piece);
///     fmt::format("{}", crc.value());
///
/// Plain value.
class Crc64 {
 public:
  void update(ByteSpan bytes);
  uint64_t value() const { return ~state_; }

 private:
  uint64_t state_ = ~uint64_t{0};
};

uint64_t crc64(ByteSpan bytes);

/// The checksum of two byte strings put together, from the checksum of each and the length of the second:
/// pieces may be summed by different threads.
uint64_t crc64_combine(uint64_t first, uint64_t second, uint64_t second_len_bytes);

/// One implementation of the update step on the raw (not inverted) state. All give the same. Pure.
struct Crc64Kernel {
  std::string_view name;
  bool (*supported)();
  uint64_t (*update)(uint64_t state, ByteSpan bytes);
};

/// All kernels, best first; the last one is portable and supported everywhere.
std::span<const Crc64Kernel> crc64_kernels();

}  // namespace xet::codec
