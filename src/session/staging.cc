#include "session/staging.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "dedup/shard_directory.h"
#include "io/file.h"

namespace xet::session {

namespace fs = std::filesystem;

namespace {

format::ShardFooter client_footer(uint64_t now_s) {
  return {.creation_s = now_s,
          .expiry_s = now_s + static_cast<uint64_t>(dedup::kShardLifetime.count()),
          .has_tables = true};
}

/// Rough: a chunk takes a record of 48 bytes, and 16 in a table.
size_t chunks_in(const fs::path& shard) {
  std::error_code error;
  const auto size = fs::file_size(shard, error);
  return error ? 0 : size / 48;
}

/// Oldest first, so that the newest entries are forgotten last; no more than fit.
void load_directory(const fs::path& directory, dedup::Origin origin, dedup::KnownXorbs& known, size_t& room,
                    uint64_t now_s, std::vector<fs::path>& loaded) {
  auto shards = dedup::usable_shards(directory, now_s);  // newest first
  size_t n = 0;
  while (n < shards.size() && chunks_in(shards[n]) <= room) room -= chunks_in(shards[n++]);
  for (size_t i = n; i-- > 0;) {
    if (known.add_shard_file(shards[i], origin)) loaded.push_back(shards[i]);
  }
}

}  // namespace

void Staging::load(dedup::KnownXorbs& known, size_t max_chunks, uint64_t now_s) {
  if (!places_) return;
  size_t room = max_chunks;
  load_directory(places_->staging, dedup::Origin::kStaged, known, room, now_s, inherited_);
  load_directory(places_->cache, dedup::Origin::kCached, known, room, now_s, cached_);
}

Result<fs::path> Staging::stage(const format::XorbRecord& xorb, uint64_t now_s) const {
  format::Shard shard;
  shard.xorbs.push_back(xorb);
  return dedup::write_shard(places_->staging, shard.to_stored_form(client_footer(now_s)));
}

void Staging::accepted(const format::Shard& shard, uint64_t now_s) {
  if (!places_) return;
  if (!shard.xorbs.empty() && !dedup::write_shard(places_->cache, shard.to_stored_form(client_footer(now_s))))
    return;
  for (const auto& path : std::exchange(own_, {})) (void)io::remove_file(path);
}

bool Staging::out_of_date() {
  const bool was_used = !inherited_.empty() || !cached_.empty();
  for (auto* paths : {&inherited_, &cached_}) {
    for (const auto& path : std::exchange(*paths, {})) (void)io::remove_file(path);
  }
  return was_used;
}

void Staging::finished() {
  for (const auto& path : std::exchange(inherited_, {})) {
    std::error_code ignored;  // another process may have moved it already
    fs::create_directories(places_->cache, ignored);
    fs::rename(path, places_->cache / path.filename(), ignored);
  }
}

Result<fs::path> Staging::keep_answer(ByteSpan answer) {
  XET_TRY(auto path, dedup::write_shard(places_->cache, answer));
  cached_.push_back(path);
  return path;
}

}  // namespace xet::session
