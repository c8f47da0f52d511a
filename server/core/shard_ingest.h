#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>

#include "base/bytes.h"
#include "server/core/footer_cache.h"
#include "server/store/meta_store.h"
#include "server/store/object_store.h"
#include "xet/hash.h"
#include "xet/result.h"

namespace xet::core {

/// What registering a shard needs. Borrowed.
struct ShardContext {
  store::ObjectStore& objects;
  store::MetaStore& meta;
  FooterCache& footers;
};

/// What comes after checking.
enum class ShardStage : uint8_t {
  kUploading,  ///< the shard and long manifests are being written
  kSyncing,    ///< the transaction is being committed
};

/// Told how far registering is, on the calling thread; short. Either may be empty.
struct ShardProgress {
  /// Entries of the shard (records of 48 bytes) that were checked, of all that there are. At least once with
  /// 0; at most once per file or xorb.
  std::function<void(uint64_t verified, uint64_t total)> on_verified;
  std::function<void(ShardStage)> on_stage;
};

struct PutShardOutcome {
  bool is_new = false;  ///< false: this repository had registered the very shard before
  ShardHash stored_as;  ///< the hash of the stored bytes
};

/// Checks every statement of an uploaded shard against the stored xorbs and registers its files for a
/// repository: lengths and range hash of each term, the hash of each file, each xorb record. Nothing is
/// registered unless all is right, then everything at once. The range hashes are a security boundary: they
/// show that the uploader knows the chunks he refers to, not just the name of a xorb.
///
/// kCorruption names the file, term or xorb record (counted from 0) that is wrong; kNotFound the xorb that
/// the store does not have. Registering again is fine, and quick with the same bytes for the same repository.
/// Memory: the largest record, and 28 bytes per term.
Result<PutShardOutcome> ingest_shard(const ShardContext& context, store::RepositoryId repository,
                                     ByteSpan shard, const ShardProgress& progress,
                                     const std::stop_token& stop);

}  // namespace xet::core
