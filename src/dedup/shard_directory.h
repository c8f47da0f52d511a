#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "base/bytes.h"
#include "xet/result.h"

namespace xet::dedup {

/// Shards in a client's cache are usable this long after they were written; genuine clients use the same
/// time.
inline constexpr std::chrono::seconds kShardLifetime = std::chrono::days(21);
/// Shards in a directory may take this much; the oldest go first.
inline constexpr uint64_t kShardDirectoryLimit = 16'000'000'000;

/// The shard files (`<hash>.mdb`) of a directory that are usable now, newest first. Expired ones, those
/// beyond the size limit, and temporary files of killed processes are removed on the way. A missing directory
/// has none. Other processes may add and remove files meanwhile. `now_s`: Unix seconds.
std::vector<std::filesystem::path> usable_shards(const std::filesystem::path& directory, uint64_t now_s,
                                                 uint64_t size_limit = kShardDirectoryLimit);

/// Writes a stored-form shard under the hash of its bytes, making the directory. Survives a crash of the
/// process, not one of the machine: a reader checks the name.
Result<std::filesystem::path> write_shard(const std::filesystem::path& directory, ByteSpan stored_form);

}  // namespace xet::dedup
