#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "format/xorb_footer.h"
#include "server/core/footer_cache.h"
#include "server/core/manifest.h"
#include "server/store/meta_store.h"
#include "server/store/object_store.h"
#include "xet/result.h"

namespace xet::core {

/// Half-open range of bytes of a file.
struct FileRange {
  uint64_t begin = 0;
  uint64_t end = 0;
};

/// How to rebuild a file, or a range of it, from stored xorbs.
struct Reconstruction {
  /// A run of chunks of xorbs[xorb] that makes the next part of the file.
  struct Term {
    uint32_t xorb = 0;
    uint32_t chunk_begin = 0;
    uint32_t chunk_end = 0;
    uint32_t unpacked_len = 0;
  };
  /// Chunks to fetch, and where they lie in the object.
  struct Range {
    uint32_t chunk_begin = 0;
    uint32_t chunk_end = 0;
    format::PackedRange packed;
    std::vector<ChunkHash> chunk_hashes;  ///< with ChunkHashes::kYes
  };
  struct Xorb {
    store::XorbRow row;
    /// Sorted, not overlapping, not touching: every term lies inside exactly one.
    std::vector<Range> ranges;
  };

  uint64_t offset_into_first_term = 0;
  std::vector<Term> terms;
  std::vector<Xorb> xorbs;
};

enum class ChunkHashes : uint8_t { kNo, kYes };

/// The terms that hold `range` (which must lie inside the file and not be empty), the outer ones trimmed to
/// the chunks that overlap it. Reads footers only for chunk hashes, for trimmed terms, and for xorbs stored
/// anew since.
Result<Reconstruction> reconstruct(store::MetaStore& meta, FooterCache& footers, const Manifest& manifest,
                                   FileRange range, ChunkHashes chunk_hashes);

/// Puts the plans of several files together, so that each xorb is named once.
class ReconstructionMerger {
 public:
  /// Gives the file's terms, which refer to the xorbs of finish().
  std::vector<Reconstruction::Term> add(Reconstruction file);
  /// All xorbs, their ranges sorted and merged.
  std::vector<Reconstruction::Xorb> finish();

 private:
  std::unordered_map<uint64_t, uint32_t> index_of_;  // by xorb id
  std::vector<Reconstruction::Xorb> xorbs_;
};

}  // namespace xet::core
