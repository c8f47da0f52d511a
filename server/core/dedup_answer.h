#pragma once

#include <optional>

#include "base/bytes.h"
#include "base/clock.h"
#include "server/core/footer_cache.h"
#include "server/store/meta_store.h"
#include "xet/result.h"

namespace xet::core {

/// The answer to a dedup query: a stored-form shard that lists the xorb holding a key chunk and xorbs
/// registered close to it, so that one question serves for the data that follows. No files, plain chunk
/// hashes. nullopt when the chunk is not a known key. Usable for 7 days: a client that refers to a xorb later
/// than that must ask again.
Result<std::optional<ByteVector>> dedup_answer(store::MetaStore& meta, FooterCache& footers,
                                               store::RepositoryId repository, const ChunkHash& chunk,
                                               const Clock& clock);

}  // namespace xet::core
