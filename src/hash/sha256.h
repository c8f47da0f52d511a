#pragma once

#include "base/bytes.h"
#include "hash/evp_digest.h"
#include "xet/hash.h"

namespace xet::hash {

/// SHA-256, fed piece by piece (OpenSSL, with the CPU's SHA instructions where it has them). Not thread-safe;
/// may move between threads.
class Sha256 {
 public:
  void update(ByteSpan bytes) { digest_.update(bytes); }
  /// The digest of everything fed; the object is spent afterwards. Its hex() is the ordinary SHA-256 hex, its
  /// raw() is what a shard's metadata record holds (each 8-byte group of the digest reversed).
  Sha256Digest finish();

 private:
  EvpDigest digest_{EvpDigest::Kind::kSha256};
};

Sha256Digest sha256(ByteSpan bytes);

}  // namespace xet::hash
