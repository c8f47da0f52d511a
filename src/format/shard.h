#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "xet/hash.h"
#include "xet/result.h"

namespace xet::format {

/// What a shard is measured against: clients begin a new one here, servers refuse larger ones.
inline constexpr uint64_t kMaxShardBytes = 64 * 1024 * 1024;

/// A run of chunks of one xorb that makes a part of a file.
struct FileTerm {
  XorbHash xorb;
  uint32_t unpacked_len = 0;  ///< bytes of the run
  uint32_t chunk_begin = 0;
  uint32_t chunk_end = 0;  ///< exclusive, above chunk_begin

  friend bool operator==(const FileTerm&, const FileTerm&) = default;
};

/// How one file is made of terms.
struct FileRecord {
  FileHash hash;
  std::vector<FileTerm> terms;  ///< in file order; none for the empty file
  /// Whether range hashes go with the terms. A flag of its own because a file without terms has it too:
  /// uploads must set it on every file, the empty one included.
  bool has_verification = true;
  std::vector<RangeHash> verification;  ///< one per term with has_verification, otherwise none
  /// Absent when its computation was skipped. Genuine clients write zero for an empty file.
  std::optional<Sha256Digest> sha256;

  uint64_t size_bytes() const;

  friend bool operator==(const FileRecord&, const FileRecord&) = default;
};

/// A chunk that is a key of the global dedup query although its hash does not say so.
inline constexpr uint32_t kChunkIsDedupKey = 0x80000000U;

struct XorbChunk {
  ChunkHash hash;                ///< keyed in a keyed shard
  uint32_t unpacked_offset = 0;  ///< sum of the lengths before it in the xorb
  uint32_t len_bytes = 0;        ///< uncompressed
  uint32_t flags = 0;            ///< kChunkIsDedupKey, or 0

  friend bool operator==(const XorbChunk&, const XorbChunk&) = default;
};

/// The chunks of one xorb.
struct XorbRecord {
  XorbHash hash;
  std::vector<XorbChunk> chunks;
  uint32_t unpacked_bytes = 0;  ///< sum of the chunk lengths
  uint32_t packed_bytes = 0;    ///< advisory: most writers leave 0

  friend bool operator==(const XorbRecord&, const XorbRecord&) = default;
};

/// Footer of a stored or keyed shard, without the layout. Times are Unix seconds.
struct ShardFooter {
  static constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();

  HmacKey key;                 ///< zero: chunk hashes are plain
  uint64_t creation_s = 0;     ///< 0 is usual, not an error
  uint64_t expiry_s = kNever;  ///< last second in which the shard may be used
  bool has_tables = false;     ///< lookup tables for files, xorbs and chunks precede the footer

  bool is_usable(uint64_t now_s) const { return now_s <= expiry_s; }
  /// A week after its expiry a cached shard is deleted.
  bool is_removable(uint64_t now_s) const {
    constexpr uint64_t kGrace_s = 7 * 24 * 3600;
    return now_s >= kGrace_s && expiry_s <= now_s - kGrace_s;
  }

  friend bool operator==(const ShardFooter&, const ShardFooter&) = default;
};

/// A shard in memory (docs/format/shard.md). Plain value.
///
///     XET_TRY(const Shard shard, Shard::parse(bytes));
///     store.put(shard.to_stored_form({.creation_s = now, .has_tables = true}));
///
/// The writers take the records in the order they have here: sorted by hash and free of duplicates they must
/// be for uploads and lookups (ShardBuilder makes them so), but a shard that was read is written back as it
/// came.
struct Shard {
  std::vector<FileRecord> files;
  std::vector<XorbRecord> xorbs;
  std::optional<ShardFooter> footer;  ///< none in the upload form

  /// Reads any of the three forms. kCorruption with the offset for anything malformed, also for chunk offsets
  /// or sums that do not add up, terms that are empty, and bytes behind an upload form.
  /// Tables are checked to lie inside the shard, not for what they say. Memory: about the size of `bytes`.
  static Result<Shard> parse(ByteSpan bytes);

  /// For sending to a store: no tables, no footer.
  ByteVector to_upload_form() const;
  /// For a directory: with `footer_options`, whose key must be zero or the one the chunk hashes are keyed
  /// with already. Chunks of equal truncated hash stand in the table in the order of the records.
  ByteVector to_stored_form(const ShardFooter& footer_options) const;
  /// The form it was read in.
  ByteVector serialise() const { return footer ? to_stored_form(*footer) : to_upload_form(); }

  /// True when files and xorbs are sorted by hash, each hash once.
  bool is_sorted() const;

  friend bool operator==(const Shard&, const Shard&) = default;
};

/// Bytes that a record adds to a stored form with tables, as session shards are measured.
uint64_t shard_cost(const FileRecord& file);
uint64_t shard_cost(const XorbRecord& xorb);
/// Bytes of the stored form without records: header, two bookends, footer.
inline constexpr uint64_t kEmptyShardBytes = 344;

}  // namespace xet::format
