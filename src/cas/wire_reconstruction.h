#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "cas/cas.h"

namespace xet::cas {

/// A run of chunks, and where it lies in the packed xorb. Byte ranges are inclusive on the wire, half-open
/// here.
struct WireRange {
  ChunkRange chunks;
  ByteRange bytes;
};

/// A URL and the ranges that it is signed for. Secret: the URL is never printed.
struct WireFetch {
  std::string url;
  std::vector<WireRange> ranges;
};

using WireFetches = std::unordered_map<XorbHash, std::vector<WireFetch>>;

/// An answer of `/v1/reconstructions/{file}` or `/v2/…` as it came: types and widths are checked, nothing
/// else. Each range of the older form becomes a WireFetch of one range.
struct WireReconstruction {
  uint64_t offset_into_first_term = 0;
  std::vector<Term> terms;
  WireFetches fetches;
};

/// An answer of `/v1/reconstructions?file_id=…`.
struct WireBatch {
  std::vector<std::pair<FileHash, std::vector<Term>>> files;
  WireFetches fetches;
};

/// Larger answers are not taken: a page of 4 GiB needs one MiB at most in the runs of chunks that clients
/// make.
constexpr size_t kMaxReconstructionBytes = size_t{64} << 20;

/// Members that are not known are passed over. kCorruption when known ones are missing, come twice, or are
/// not what they should be. Memory is a small multiple of the text's.
Result<WireReconstruction> parse_reconstruction_v1(ByteSpan json);
Result<WireReconstruction> parse_reconstruction_v2(ByteSpan json);
Result<WireBatch> parse_batch_reconstruction(ByteSpan json);

}  // namespace xet::cas
