#pragma once

#include <array>
#include <cstddef>
#include <initializer_list>

#include "base/bytes.h"
#include "hash/evp_digest.h"

namespace xet::hash {

using Sha1Digest = std::array<std::byte, 20>;

/// SHA-1, fed piece by piece (OpenSSL): for naming Git objects, for nothing else. Not thread-safe.
class Sha1 {
 public:
  void update(ByteSpan bytes) { digest_.update(bytes); }
  /// The object is spent afterwards.
  Sha1Digest finish();

 private:
  EvpDigest digest_{EvpDigest::Kind::kSha1};
};

/// Of pieces one after the other.
Sha1Digest sha1(std::initializer_list<ByteSpan> pieces);

}  // namespace xet::hash
