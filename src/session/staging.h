#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "cas/cas.h"
#include "dedup/known_xorbs.h"
#include "format/shard.h"
#include "xet/result.h"

namespace xet::session {

/// What a session leaves on disk for itself and for later ones (docs/architecture.md, "Resuming an upload"):
/// the chunk list of each acknowledged xorb in the staging directory, from where the next run takes it if
/// this one dies; and the shards of finished sessions in the cache. None of it is needed for correctness, so
/// failures only cost deduplication. Not thread-safe.
class Staging {
 public:
  explicit Staging(std::optional<cas::ShardPlaces> places) : places_(std::move(places)) {}

  bool enabled() const { return places_.has_value(); }

  /// Makes known what earlier sessions left, as far as the index has room. `now_s`: Unix seconds.
  void load(dedup::KnownXorbs& known, size_t max_chunks, uint64_t now_s);

  /// Writes the chunk list of an acknowledged xorb. Blocks for the disk. Any thread.
  Result<std::filesystem::path> stage(const format::XorbRecord& xorb, uint64_t now_s) const;
  void staged(std::filesystem::path path) { own_.push_back(std::move(path)); }

  /// The shard was accepted by the store: it moves to the cache, the staged lists it replaces go.
  void accepted(const format::Shard& shard, uint64_t now_s);
  /// The store does not have what earlier sessions left word of: removes all that was loaded, so that the
  /// next session does not rely on it. False when nothing was.
  bool out_of_date();
  /// The whole session is done: what earlier, broken sessions staged moves to the cache too.
  void finished();

  /// Keeps a store's answer for later sessions; its path.
  Result<std::filesystem::path> keep_answer(ByteSpan answer);

 private:
  std::optional<cas::ShardPlaces> places_;
  std::vector<std::filesystem::path> own_;        // staged by this session, not yet in an accepted shard
  std::vector<std::filesystem::path> inherited_;  // of earlier sessions
  std::vector<std::filesystem::path> cached_;     // loaded from the cache, or kept there by this session
};

}  // namespace xet::session
