#include "hash/sha1.h"

namespace xet::hash {

Sha1Digest Sha1::finish() {
  Sha1Digest out;
  digest_.finish(out);
  return out;
}

Sha1Digest sha1(std::initializer_list<ByteSpan> pieces) {
  Sha1 hasher;
  for (const ByteSpan piece : pieces) hasher.update(piece);
  return hasher.finish();
}

}  // namespace xet::hash
