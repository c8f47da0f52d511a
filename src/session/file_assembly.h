#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "dedup/fragmentation.h"
#include "dedup/known_xorbs.h"
#include "format/shard.h"
#include "hash/blake3.h"
#include "hash/tree.h"

namespace xet::session {

/// A file on its way to a file record: its tree hash and its terms so far.
/// Belongs to the session's strand.
class FileAssembly {
 public:
  /// The next chunk of the file, which lies at `place`: continues the last term or begins a new one.
  void add(const hash::ChunkInfo& chunk, dedup::ChunkPlace place);

  /// Where the next chunk would have to be to continue the last term; nothing when no term can be continued.
  std::optional<dedup::ChunkPlace> continuation() const;

  /// Terms that lie in `xorb` are rewritten: its chunk i, chunks[i], is now at new_place[i].
  void relocate(uint32_t xorb, std::span<const dedup::ChunkPlace> new_place,
                std::span<const hash::ChunkInfo> chunks);

  /// Whether terms lie in this xorb.
  bool refers_to(uint32_t xorb) const;

  /// The hash of the whole file; no chunk may be added after it. Call once.
  FileHash seal();
  uint64_t size_bytes() const { return tree_.size(); }

  /// The record of a sealed file, without SHA-256; every xorb that terms lie in must be closed. Call once.
  format::FileRecord finish(const dedup::KnownXorbs& known);

  dedup::FragmentationGuard fragmentation;

 private:
  struct Term {
    uint32_t xorb = 0;
    uint32_t begin = 0;
    uint32_t end = 0;
    uint32_t unpacked_len = 0;
    RangeHash range_hash;
  };
  /// The part of add() that is about terms; tells whether a new one began.
  bool refer(const hash::ChunkInfo& chunk, dedup::ChunkPlace place);
  void close_term();

  hash::TreeHasher tree_;
  FileHash hash_;
  std::vector<Term> terms_;
  bool last_is_open_ = false;  // the last term may still grow; its range hash is in the making
  hash::RangeHasher range_hasher_;
};

}  // namespace xet::session
