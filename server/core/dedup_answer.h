#pragma once

#include <optional>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/sync.h"
#include "server/core/footer_cache.h"
#include "server/store/meta_store.h"
#include "xet/result.h"

namespace xet::core {

/// Keys for the chunk hashes in dedup answers: another one for each repository and each week, so that an
/// answer compares with hashes that its reader has, tells no others, and clients meet few different keys.
/// Thread-safe.
class DedupKeys {
 public:
  /// Blocks for the store's secret at the first call.
  Result<HmacKey> key(store::MetaStore& meta, store::RepositoryId repository, uint64_t now_s);

 private:
  Sync<std::optional<HmacKey>> secret_;
};

/// The answer to a dedup query: a shard that lists the xorb holding a key chunk and xorbs registered close to
/// it, so that one question serves for the data that follows. No files. Chunk hashes are keyed if there is a
/// `key`, else plain. nullopt when the chunk is not a known key. Usable for 7 days: a client that refers to a
/// xorb later than that must ask again.
Result<std::optional<ByteVector>> dedup_answer(store::MetaStore& meta, FooterCache& footers,
                                               store::RepositoryId repository, const ChunkHash& chunk,
                                               const std::optional<HmacKey>& key, uint64_t now_s);

}  // namespace xet::core
