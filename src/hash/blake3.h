#pragma once

#include <memory>
#include <span>

#include "base/bytes.h"
#include "xet/hash.h"

namespace xet::hash {

/// Hash of a chunk's uncompressed bytes: BLAKE3 keyed with the DATA key (docs/format/hashing.md).
ChunkHash chunk_hash(ByteSpan chunk);

/// Name of a stored shard file, and of anything else hashed with the DATA key.
ShardHash shard_hash(ByteSpan shard_file);

/// "HMAC" as the Xet documents call it: BLAKE3 keyed with `key` over the 32 raw bytes of `hash`. Not RFC
/// 2104.
ChunkHash keyed_chunk_hash(const HmacKey& key, const ChunkHash& hash);

namespace detail {
NodeHash internal_node_hash(ByteSpan text);       // keyed with INTERNAL
FileHash salted_file_hash(const NodeHash& root);  // keyed with ZERO
}  // namespace detail

/// Streaming BLAKE3 over the raw chunk hashes of one file term: proof that the uploader knows them. Reusable
/// after finish(). Not thread-safe.
class RangeHasher {
 public:
  RangeHasher();
  ~RangeHasher();
  RangeHasher(RangeHasher&&) noexcept;
  RangeHasher& operator=(RangeHasher&&) noexcept;

  void add(const ChunkHash& hash);
  /// The range hash of what was added since construction or the last finish().
  RangeHash finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Range hash of chunks at hand.
RangeHash range_hash(std::span<const ChunkHash> hashes);

/// Streaming BLAKE3 with the DATA key, for shard files written piece by piece. Not thread-safe.
class ShardHasher {
 public:
  ShardHasher();
  ~ShardHasher();
  ShardHasher(ShardHasher&&) noexcept;
  ShardHasher& operator=(ShardHasher&&) noexcept;

  void add(ByteSpan bytes);
  ShardHash finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace xet::hash
