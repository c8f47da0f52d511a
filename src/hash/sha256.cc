#include "hash/sha256.h"

#include <array>

namespace xet::hash {

Sha256Digest Sha256::finish() {
  std::array<std::byte, Sha256Digest::kSize> digest;
  digest_.finish(digest);
  std::array<std::byte, Sha256Digest::kSize> grouped;  // so that the string form is the ordinary hex
  for (size_t i = 0; i < digest.size(); ++i) grouped[i ^ 7] = digest[i];
  return Sha256Digest(grouped);
}

Sha256Digest sha256(ByteSpan bytes) {
  Sha256 hasher;
  hasher.update(bytes);
  return hasher.finish();
}

}  // namespace xet::hash
