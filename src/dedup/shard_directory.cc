#include "dedup/shard_directory.h"

#include <sys/stat.h>

#include <algorithm>
#include <system_error>

#include "format/shard_view.h"
#include "hash/blake3.h"
#include "io/file.h"

namespace xet::dedup {

namespace fs = std::filesystem;

namespace {

constexpr uint64_t kStaleTempSeconds = 24 * 3600;

struct Candidate {
  fs::path path;
  int64_t mtime_ns = 0;
  uint64_t size_bytes = 0;
};

bool has_shard_name(const fs::path& path) {
  return path.extension() == ".mdb" && ShardHash::from_hex(path.stem().string()).has_value();
}

/// Whether the shard may be used; removes it when it is long expired.
bool check_expiry(const fs::path& path, uint64_t now_s) {
  const auto mapped = io::MappedFile::open(path);
  if (!mapped) return false;
  const auto view = format::ShardView::open(mapped->bytes());
  if (!view || !view->footer()) return false;
  if (view->footer()->is_removable(now_s))
    (void)io::remove_file(path);  // another process may have been faster
  return view->footer()->is_usable(now_s);
}

}  // namespace

std::vector<fs::path> usable_shards(const fs::path& directory, uint64_t now_s, uint64_t size_limit) {
  std::vector<Candidate> found;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    struct stat st;
    if (::stat(it->path().c_str(), &st) != 0) continue;
    const auto info = io::file_info(st);
    const uint64_t age_base_s = static_cast<uint64_t>(std::max<int64_t>(info.mtime_ns, 0)) / 1'000'000'000;
    if (io::AtomicFile::is_temp_name(it->path())) {
      if (age_base_s + kStaleTempSeconds < now_s) (void)io::remove_file(it->path());
    } else if (has_shard_name(it->path()) && check_expiry(it->path(), now_s)) {
      found.push_back({it->path(), info.mtime_ns, info.size_bytes});
    }
  }
  std::sort(found.begin(), found.end(), [](const Candidate& a, const Candidate& b) {
    return a.mtime_ns != b.mtime_ns ? a.mtime_ns > b.mtime_ns : a.path < b.path;
  });

  std::vector<fs::path> out;
  uint64_t total = 0;
  for (const auto& candidate : found) {
    total += candidate.size_bytes;
    if (total > size_limit) {
      (void)io::remove_file(candidate.path);
    } else {
      out.push_back(candidate.path);
    }
  }
  return out;
}

Result<fs::path> write_shard(const fs::path& directory, ByteSpan stored_form) {
  XET_TRY_STATUS(io::create_directories(directory));
  const fs::path path = directory / (hash::shard_hash(stored_form).hex() + ".mdb");
  XET_TRY_STATUS(io::write_file_atomically(path, stored_form, io::AtomicFile::Durability::kRename));
  return path;
}

}  // namespace xet::dedup
