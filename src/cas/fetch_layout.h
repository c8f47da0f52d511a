#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "cas/cas.h"
#include "cas/wire_reconstruction.h"

namespace xet::cas {

/// Part of a range to fetch that has a URL of its own: such a URL is good for exactly these bytes.
struct SignedPiece {
  ByteRange bytes;
  size_t url = 0;  ///< index into FetchLayout::urls
};

/// One FetchRange of a Reconstruction as HTTP gets it. The pieces are in order and make the whole range.
struct FetchEntry {
  XorbHash xorb;
  ChunkRange chunks;
  ByteRange bytes;
  std::vector<SignedPiece> pieces;
};

/// What an answer says of where bytes are.
struct FetchLayout {
  std::vector<FetchEntry> entries;  ///< by xorb, then by chunk
  std::vector<std::string> urls;    ///< secret
  /// Of each URL the ranges it is signed for, in the order of the answer: a request for several ranges names
  /// all of them.
  std::vector<std::vector<ByteRange>> signed_ranges;
};

/// Brings the ranges of an answer into the form that cas::Reconstruction promises: sorted by chunk, ranges
/// that touch in chunks and in bytes made one, those that lie in another left out. kCorruption, naming the
/// xorb, for ranges that overlap otherwise, are empty or have no usable URL.
Result<FetchLayout> make_layout(WireFetches fetches);

}  // namespace xet::cas
