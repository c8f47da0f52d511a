#include "server/core/dedup_answer.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/try.h"
#include "format/shard.h"
#include "hash/blake3.h"
#include "server/core/secret.h"

namespace xet::core {

namespace {

// One full xorb in three has no key chunk of its own: it is found through its neighbours.
constexpr uint32_t kNeighbours = 32;
// 3 MiB of records: xorbs of tiny chunks would give four times that.
constexpr size_t kMaxChunks = 65'536;
constexpr uint64_t kLifetime_s = 7 * 24 * 3600;

format::XorbRecord record_of(const format::XorbFooter& footer, const std::optional<HmacKey>& key) {
  format::XorbRecord out{.hash = footer.hash, .chunks = {}, .unpacked_bytes = footer.ends.unpacked_size()};
  out.chunks.reserve(footer.chunk_count());
  uint32_t offset = 0;
  for (size_t i = 0; i < footer.chunk_count(); ++i) {
    const uint32_t len = footer.ends.chunk_len(i);
    const ChunkHash& hash = footer.chunk_hashes[i];
    out.chunks.push_back({.hash = key ? hash::keyed_chunk_hash(*key, hash) : hash,
                          .unpacked_offset = offset,
                          .len_bytes = len});
    offset += len;
  }
  return out;
}

}  // namespace

Result<HmacKey> DedupKeys::key(store::MetaStore& meta, store::RepositoryId repository, uint64_t now_s) {
  auto secret = secret_.lock();
  if (!*secret) {
    XET_TRY(const auto stored, meta.signing_keys(store::KeyPurpose::kDedup, make_secret));
    XET_TRY_STATUS(check_secret(stored.back(), "dedup key"));
    *secret = HmacKey(std::span<const std::byte, HmacKey::kSize>(stored.back().secret));
  }
  const auto label = ChunkHash::from_words(static_cast<uint64_t>(repository), now_s / kLifetime_s, 0, 0);
  return HmacKey(hash::keyed_chunk_hash(**secret, label));
}

Result<std::optional<ByteVector>> dedup_answer(store::MetaStore& meta, FooterCache& footers,
                                               store::RepositoryId repository, const ChunkHash& chunk,
                                               const std::optional<HmacKey>& key, uint64_t now_s) {
  XET_TRY(const auto rows, meta.find_key_chunk(repository, chunk, kNeighbours));
  format::Shard shard;
  size_t n_chunks = 0;
  for (const auto& row : rows) {
    if (!shard.xorbs.empty() && n_chunks + row.n_chunks > kMaxChunks) break;
    const auto footer = footers.get(row);
    if (!footer) {
      // A damaged neighbour is left out; without the xorb asked for there is nothing to say.
      if (shard.xorbs.empty()) return tl::unexpected(footer.error());
      continue;
    }
    shard.xorbs.push_back(record_of(**footer, key));
    n_chunks += row.n_chunks;
  }
  if (shard.xorbs.empty()) return std::nullopt;
  std::sort(shard.xorbs.begin(), shard.xorbs.end(),
            [](const auto& a, const auto& b) { return a.hash < b.hash; });

  return shard.to_stored_form(
      {.key = key.value_or(HmacKey{}), .creation_s = now_s, .expiry_s = now_s + kLifetime_s});
}

}  // namespace xet::core
