#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/unique_function.h"
#include "format/shard.h"

namespace xet::format {

/// Lookups in the bytes of a shard (typically mapped from a file) without reading it all. Where a table is
/// absent the section is scanned. Every hit is confirmed against the full hash. The bytes are borrowed and
/// may be hostile: what is looked at is checked on the way, and a broken place is kCorruption with its
/// offset, never a wrong read.
///
///     XET_TRY(const ShardView view, ShardView::open(mapping.bytes()));
///     XET_TRY(const auto places, view.find_chunk(hash));
///     if (!places.empty()) { XET_TRY(const uint32_t n, view.match_run(places[0], wanted)); ... }
///
/// Immutable: any number of threads may use it at once.
class ShardView {
 public:
  /// Reads header and footer. A shard without footer is scanned once for its sections.
  static Result<ShardView> open(ByteSpan shard);

  /// Empty for the upload form.
  const std::optional<ShardFooter>& footer() const { return footer_; }
  bool is_keyed() const { return footer_ && !footer_->key.is_zero(); }
  size_t size_bytes() const { return bytes_.size(); }

  Result<std::optional<FileRecord>> find_file(const FileHash& hash) const;
  Result<std::optional<XorbRecord>> find_xorb(const XorbHash& hash) const;

  /// A chunk of a xorb in this shard. `xorb_record` counts 48-byte records from the start of the xorb
  /// section, as the tables do.
  struct ChunkPlace {
    uint32_t xorb_record = 0;
    uint32_t chunk_index = 0;
    friend bool operator==(const ChunkPlace&, const ChunkPlace&) = default;
  };
  /// At most this many places of one chunk are given.
  static constexpr size_t kMaxPlaces = 8;

  /// Where a chunk is, in record order as far as the shard's table has it, at most kMaxPlaces. Takes the
  /// plain hash: it is keyed here when the shard is.
  Result<std::vector<ChunkPlace>> find_chunk(const ChunkHash& plain) const;

  struct Run {
    XorbHash xorb;
    uint32_t chunk_begin = 0;
    uint32_t n_chunks = 0;      ///< 0: the chunk at the place is another one
    uint32_t unpacked_len = 0;  ///< bytes of the run
  };
  /// How many of the plain hashes `wanted` equal the chunks at and after `place`, inside that one xorb.
  Result<Run> match_run(const ChunkPlace& place, std::span<const ChunkHash> wanted) const;

  /// Calls back for every chunk in record order: its place, and its hash as it is stored (keyed in a keyed
  /// shard). For building an index over many shards.
  Status for_each_chunk(UniqueFunction<void(const ChunkPlace&, const ChunkHash& stored)> visit) const;
  /// Calls back for every xorb record.
  Status for_each_xorb(UniqueFunction<void(const XorbRecord&)> visit) const;
  /// Calls back for every file record.
  Status for_each_file(UniqueFunction<void(const FileRecord&)> visit) const;

 private:
  struct Table {
    uint64_t offset = 0;
    uint64_t n_entries = 0;
    size_t entry_bytes = 0;
  };
  /// Records from `begin` on; those and the bookend end at `end` or before.
  struct Section {
    uint64_t begin = 0;
    uint64_t end = 0;
  };
  struct Group;

  Status find_sections_by_scan();
  Result<Group> group_at(const Section& section, uint64_t offset) const;
  template <class Visit>
  Status for_each_group(const Section& section, Visit visit) const;
  template <class Visit>
  Status for_each_entry(const Table& table, uint64_t key, Visit visit) const;
  Result<std::optional<Group>> find_group(const Section& section, const Table& table,
                                          std::span<const std::byte, 32> hash) const;
  uint64_t record_offset(const Section& section, uint32_t record) const;

  ByteSpan bytes_;
  std::optional<ShardFooter> footer_;
  Section files_;
  Section xorbs_;
  Table file_table_;
  Table xorb_table_;
  Table chunk_table_;
};

}  // namespace xet::format
