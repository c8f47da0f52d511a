#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "dedup/chunk_table.h"
#include "format/shard_view.h"
#include "hash/tree.h"
#include "io/file.h"
#include "xet/hash.h"
#include "xet/result.h"

namespace xet::dedup {

/// How we came to know a xorb.
enum class Origin : uint8_t {
  kSession,  ///< being made by this session
  kStaged,   ///< acknowledged to an earlier session that did not finish
  kCached,   ///< in a shard of the cache
  kAnswer,   ///< in the store's answer to a dedup query of this session
};

/// Everything that deduplication can refer to: the xorbs of this session, also the one still open, and those
/// described by shards on disk or answered by the store, keyed ones included. Xorbs are numbered as they
/// become known. Chunk hashes of the session's own xorbs are in memory until their shard is on disk (see
/// moved_to_shard()); shards are mapped. Not thread-safe.
class KnownXorbs {
 public:
  /// `max_chunks` bounds the index: beyond it, chunks not seen for long are forgotten.
  explicit KnownXorbs(size_t max_chunks);

  /// A place that holds this chunk, confirmed by its full hash.
  std::optional<ChunkPlace> find(const ChunkHash& chunk) const { return find_outside(kNoXorb, chunk); }
  /// The same, but for places in one xorb.
  std::optional<ChunkPlace> find_outside(uint32_t xorb, const ChunkHash& chunk) const;
  /// Whether the chunk at a place is this one. False past the end of the xorb.
  bool holds(ChunkPlace place, const ChunkHash& chunk) const;

  Origin origin(uint32_t xorb) const { return xorbs_[xorb].origin; }
  /// The name of a xorb; zero for one of the session that is not closed.
  const XorbHash& hash(uint32_t xorb) const { return xorbs_[xorb].hash; }

  /// The full record of a xorb that a shard describes.
  Result<format::XorbRecord> record(uint32_t xorb) const;

  /// A new xorb of the session, without chunks and name.
  uint32_t open_xorb();
  void append(uint32_t xorb, const ChunkHash& chunk);
  void close_xorb(uint32_t xorb, const XorbHash& hash) { xorbs_[xorb].hash = hash; }
  /// Forgets a xorb: no place of it is found any more.
  void drop(uint32_t xorb);
  /// The xorb's chunk hashes can be read from the shard file at `path`; those in memory go.
  Status moved_to_shard(uint32_t xorb, const std::filesystem::path& path);

  /// Takes in a shard file; refuses with kCorruption one that is malformed or whose name is not the hash of
  /// its bytes.
  Status add_shard_file(const std::filesystem::path& path, Origin origin);
  /// Takes in a shard that is in memory.
  Status add_shard(ByteVector shard, Origin origin);

 private:
  /// A shard that xorbs refer to.
  struct Source {
    std::optional<io::MappedFile> file;
    ByteVector bytes;  // when there is no file
    std::optional<format::ShardView> view;
  };
  struct Xorb {
    Origin origin = Origin::kSession;
    XorbHash hash;
    std::vector<ChunkHash> chunks;   // while `source` is null
    const Source* source = nullptr;  // owned by sources_
    uint32_t record = 0;             // of the xorb in its shard
    bool dropped = false;
  };
  /// Chunks whose hashes are keyed with the same key; zero: plain.
  struct Collection {
    HmacKey key;
    ChunkTable table;
  };

  static constexpr uint32_t kNoXorb = UINT32_MAX;

  Status index_source(std::unique_ptr<Source> source, Origin origin);
  Collection& collection(const HmacKey& key);

  size_t max_chunks_;
  std::vector<Xorb> xorbs_;
  std::vector<std::unique_ptr<Source>> sources_;
  std::vector<Collection> collections_;  // the plain one first
};

}  // namespace xet::dedup
