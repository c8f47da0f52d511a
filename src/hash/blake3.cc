#include "hash/blake3.h"

#include <blake3.h>

#include <array>
#include <cstdint>

namespace xet::hash {

namespace {

using Key = std::array<uint8_t, BLAKE3_KEY_LEN>;

// The four keys of the Xet formats (docs/format/hashing.md, "Keys").
constexpr Key kDataKey = {0x66, 0x97, 0xf5, 0x77, 0x5b, 0x95, 0x50, 0xde, 0x31, 0x35, 0xcb,
                          0xac, 0xa5, 0x97, 0x18, 0x1c, 0x9d, 0xe4, 0x21, 0x10, 0x9b, 0xeb,
                          0x2b, 0x58, 0xb4, 0xd0, 0xb0, 0x4b, 0x93, 0xad, 0xf2, 0x29};
constexpr Key kInternalKey = {0x01, 0x7e, 0xc5, 0xc7, 0xa5, 0x47, 0x29, 0x96, 0xfd, 0x94, 0x66,
                              0x66, 0xb4, 0x8a, 0x02, 0xe6, 0x5d, 0xdd, 0x53, 0x6f, 0x37, 0xc7,
                              0x6d, 0xd2, 0xf8, 0x63, 0x52, 0xe6, 0x4a, 0x53, 0x71, 0x3f};
constexpr Key kVerificationKey = {0x7f, 0x18, 0x57, 0xd6, 0xce, 0x56, 0xed, 0x66, 0x12, 0x7f, 0xf9,
                                  0x13, 0xe7, 0xa5, 0xc3, 0xf3, 0xa4, 0xcd, 0x26, 0xd5, 0xb5, 0xdb,
                                  0x49, 0xe6, 0x41, 0x24, 0x98, 0x7f, 0x28, 0xfb, 0x94, 0xc3};
constexpr Key kZeroKey = {};

template <class HashType>
HashType finalize(const blake3_hasher& hasher) {
  std::array<uint8_t, HashType::kSize> out;
  blake3_hasher_finalize(&hasher, out.data(), out.size());
  return HashType(std::as_bytes(std::span(out)));
}

template <class HashType>
HashType keyed(const uint8_t* key, ByteSpan bytes) {
  blake3_hasher hasher;
  blake3_hasher_init_keyed(&hasher, key);
  blake3_hasher_update(&hasher, bytes.data(), bytes.size());
  return finalize<HashType>(hasher);
}

// BLAKE3 1.3.1 detects the CPU on first use, without synchronisation. Hashing one byte before main() settles
// it before there are threads.
[[gnu::used]] const ChunkHash kWarmUp = keyed<ChunkHash>(kDataKey.data(), {});

}  // namespace

ChunkHash chunk_hash(ByteSpan chunk) {
  return keyed<ChunkHash>(kDataKey.data(), chunk);
}

ShardHash shard_hash(ByteSpan shard_file) {
  return keyed<ShardHash>(kDataKey.data(), shard_file);
}

ChunkHash keyed_chunk_hash(const HmacKey& key, const ChunkHash& hash) {
  return keyed<ChunkHash>(reinterpret_cast<const uint8_t*>(key.raw().data()), hash.raw());
}

NodeHash detail::internal_node_hash(ByteSpan text) {
  return keyed<NodeHash>(kInternalKey.data(), text);
}

FileHash detail::salted_file_hash(const NodeHash& root) {
  return keyed<FileHash>(kZeroKey.data(), root.raw());
}

struct RangeHasher::State {
  State() { blake3_hasher_init_keyed(&hasher, kVerificationKey.data()); }
  blake3_hasher hasher;
};

RangeHasher::RangeHasher() : state_(std::make_unique<State>()) {}
RangeHasher::~RangeHasher() = default;
RangeHasher::RangeHasher(RangeHasher&&) noexcept = default;
RangeHasher& RangeHasher::operator=(RangeHasher&&) noexcept = default;

void RangeHasher::add(const ChunkHash& hash) {
  blake3_hasher_update(&state_->hasher, hash.raw().data(), ChunkHash::kSize);
}

RangeHash RangeHasher::finish() {
  const auto out = finalize<RangeHash>(state_->hasher);
  *state_ = State();
  return out;
}

RangeHash range_hash(std::span<const ChunkHash> hashes) {
  RangeHasher hasher;
  for (const auto& hash : hashes) hasher.add(hash);
  return hasher.finish();
}

struct ShardHasher::State {
  State() { blake3_hasher_init_keyed(&hasher, kDataKey.data()); }
  blake3_hasher hasher;
};

ShardHasher::ShardHasher() : state_(std::make_unique<State>()) {}
ShardHasher::~ShardHasher() = default;
ShardHasher::ShardHasher(ShardHasher&&) noexcept = default;
ShardHasher& ShardHasher::operator=(ShardHasher&&) noexcept = default;

void ShardHasher::add(ByteSpan bytes) {
  blake3_hasher_update(&state_->hasher, bytes.data(), bytes.size());
}

ShardHash ShardHasher::finish() {
  const auto out = finalize<ShardHash>(state_->hasher);
  *state_ = State();
  return out;
}

}  // namespace xet::hash
