#pragma once

#include <array>
#include <cstddef>
#include <initializer_list>

#include "base/bytes.h"

namespace xet::hash {

/// SHA-1 of pieces one after the other (OpenSSL): for naming Git objects, for nothing else.
std::array<std::byte, 20> sha1(std::initializer_list<ByteSpan> pieces);

}  // namespace xet::hash
