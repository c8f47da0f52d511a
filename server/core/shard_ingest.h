#pragma once

#include <stop_token>

#include "base/bytes.h"
#include "server/core/footer_cache.h"
#include "server/store/meta_store.h"
#include "server/store/object_store.h"
#include "xet/result.h"

namespace xet::core {

/// What registering a shard needs. Borrowed.
struct ShardContext {
  store::ObjectStore& objects;
  store::MetaStore& meta;
  FooterCache& footers;
};

/// Checks every statement of an uploaded shard against the stored xorbs and registers its files for a
/// repository: lengths and range hash of each term, the hash of each file, each xorb record. Nothing is
/// registered unless all is right, then everything at once. The range hashes are a security boundary: they
/// show that the uploader knows the chunks he refers to, not just the name of a xorb.
///
/// kCorruption names the file, term or xorb record (counted from 0) that is wrong; kNotFound the xorb that
/// the store does not have. Registering again is fine. Memory: the largest record, and 28 bytes per term.
Status ingest_shard(const ShardContext& context, store::RepositoryId repository, ByteSpan shard,
                    const std::stop_token& stop);

}  // namespace xet::core
