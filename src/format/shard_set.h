#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "format/shard.h"

namespace xet::format {

/// A shard in the making: records in any order, sorted and each hash once when taken out. Not thread-safe.
class ShardBuilder {
 public:
  /// A file that is there already is merged: verification and SHA-256 are kept from whichever has them, terms
  /// with the verification that belongs to them.
  void add(FileRecord file);
  /// A xorb that is there already is replaced.
  void add(XorbRecord xorb);

  bool empty() const { return files_.empty() && xorbs_.empty(); }
  size_t n_files() const { return files_.size(); }
  size_t n_xorbs() const { return xorbs_.size(); }
  /// Size of the stored form as it is measured against kMaxShardBytes: records added twice count twice.
  uint64_t size_bytes() const { return size_bytes_; }

  /// The shard without footer; leaves the builder empty.
  Shard finish();

 private:
  std::map<FileHash, FileRecord> files_;
  std::map<XorbHash, XorbRecord> xorbs_;
  uint64_t size_bytes_ = kEmptyShardBytes;
};

/// All records of both, sorted. Of two files of equal hash the one whose optional parts include the other's
/// stays, the first when equal, otherwise they are merged; of equal xorbs the first stays. Inputs need not be
/// sorted (of duplicates inside one input the first counts). The result has no footer. kInvalidArgument for
/// keyed shards: their hashes do not mix.
Result<Shard> shard_union(const Shard& first, const Shard& second);
/// The records of `from` whose hash `known` does not have; otherwise as shard_union().
Result<Shard> shard_difference(const Shard& known, const Shard& from);

/// A chunk that a store answers dedup queries for.
struct DedupKey {
  ChunkHash chunk;
  uint32_t xorb_index = 0;  ///< into Shard::xorbs
  uint32_t chunk_index = 0;

  friend bool operator==(const DedupKey&, const DedupKey&) = default;
};

/// True when the hash alone makes a chunk eligible for global dedup: one in 1024. On plain hashes.
inline bool is_dedup_key(const ChunkHash& plain) {
  return plain.word(3) % 1024 == 0;
}
/// All dedup keys among the xorbs of an un-keyed shard, in record order, each place once: first chunks of
/// files, flagged chunks, and chunks whose hash says so. First chunks in xorbs that the shard does not
/// describe are not listed.
std::vector<DedupKey> dedup_keys(const Shard& shard);
/// Sets the flag of chunks that are the first of a file, as servers do before they hand a shard out.
void flag_first_chunks(Shard& shard);

/// Makes the answer to a dedup query: the xorbs of an un-keyed shard with each chunk hash replaced by its
/// keyed hash (a zero key leaves them), without files, in stored form with `footer` (key and times).
/// kInvalidArgument when the shard is keyed already.
Result<ByteVector> keyed_export(const Shard& shard, const ShardFooter& footer);

}  // namespace xet::format
