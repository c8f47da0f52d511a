#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "server/core/footer_cache.h"
#include "server/store/meta_store.h"
#include "server/store/object_store.h"
#include "xet/result.h"

namespace xet::core {

struct FsckOptions {
  /// Reads everything: decodes and hashes each chunk, hashes each shard, computes each file's hash again.
  bool deep = false;
  /// A younger object without a row belongs to an upload under way.
  std::chrono::seconds orphan_age{60};
};

/// One thing that is not as it should be.
struct FsckFinding {
  enum class Kind : uint8_t {
    kDatabase,      ///< SQLite finds its file damaged, or rows contradict each other
    kXorbMissing,   ///< a usable xorb without its object
    kXorbLength,    ///< its object is shorter or longer than what was stored
    kXorbDamaged,   ///< its footer, or (deep) a chunk, is not what was stored
    kShardMissing,  ///< a registered shard without its object
    kShardLength,
    kShardDamaged,     ///< (deep) its bytes do not have its hash
    kManifestMissing,  ///< a registered file whose manifest's object is missing
    kManifestDamaged,  ///< a manifest that does not open or contradicts the footers
    kFileXorbLost,     ///< a file refers to a xorb of which no generation is usable
    kFileHash,         ///< (deep) the chunks of a file make another hash
    kOrphan,           ///< an object that no row names: harmless, it only takes space
  };
  Kind kind;
  std::string object;   ///< what it is about: "xorb <hash>", "file <hash>", "x/ab/<hash>.0"
  std::string message;  ///< one line for people
};

/// "xorb_missing", "orphan", …: stable names.
std::string_view to_string(FsckFinding::Kind kind);

struct FsckSummary {
  uint64_t xorbs = 0;  ///< looked at, as the following
  uint64_t shards = 0;
  uint64_t files = 0;
  uint64_t objects = 0;
  uint64_t bytes_read = 0;
  uint64_t damages = 0;  ///< findings other than orphans
  uint64_t orphans = 0;
  uint64_t orphan_bytes = 0;

  bool sound() const { return damages == 0; }
};

/// Looks for damage, changing nothing, while others write: what comes to be during the walk is no finding. An
/// error means that the check itself could not go on (kCancelled among them); damage is told to `on_finding`.
Result<FsckSummary> fsck(store::ObjectStore& objects, store::MetaStore& meta, FooterCache& footers,
                         const Clock& clock, const FsckOptions& options,
                         const std::function<void(const FsckFinding&)>& on_finding,
                         const std::stop_token& stop);

}  // namespace xet::core
