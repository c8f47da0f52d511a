#include "server/hub/lfs_upload.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/try.h"
#include "server/local/local_cas.h"
#include "session/client_impl.h"
#include "xet/upload.h"

namespace xet::hub {

namespace {

// Of all uploads of this process that are being chunked at the same time.
constexpr size_t kMemory = size_t{256} << 20;
constexpr size_t kStoreThreads = 2;
// Of earlier uploads to a repository, so that later ones find their chunks. Each upload opens them all, so
// there must not be many; what is forgotten here, the store is asked for.
constexpr size_t kMaxShards = 64;

/// A file without a name: it goes with whoever has it open, also by kill -9.
Result<io::File> open_nameless(const std::filesystem::path& directory) {
  static std::atomic<uint64_t> counter{0};  // relaxed: only has to be different each time
  XET_TRY_STATUS(io::create_directories(directory));
  const auto path =
      directory / fmt::format("{}-{}", ::getpid(), counter.fetch_add(1, std::memory_order_relaxed));
  XET_TRY_STATUS(io::remove_file(path));  // of a process of the same number that was killed
  XET_TRY(auto file, io::File::create_new(path, 0600));
  XET_TRY_STATUS(io::remove_file(path));
  return file;
}

/// Leaves the newest shards. Others may be at the same; that something is gone, or stays, does no harm.
void forget_old_shards(const std::filesystem::path& directory) {
  namespace fs = std::filesystem;
  std::vector<std::pair<fs::file_time_type, fs::path>> found;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;
    const auto time = it->last_write_time(gone);
    if (!gone) found.emplace_back(time, it->path());
  }
  if (found.size() <= kMaxShards) return;
  std::ranges::sort(found, std::greater<>());
  for (const auto& [time, path] : std::span(found).subspan(kMaxShards)) (void)io::remove_file(path);
}

}  // namespace

Done LfsUpload::write(ByteSpan bytes) {
  if (bytes.size() > size_bytes_ - written_) {
    return refuse(Reason::kInvalid,
                  fmt::format("there are more than the {} bytes that were announced", size_bytes_));
  }
  XET_TRY_STATUS(file_.write_at(written_, bytes));
  hasher_.update(bytes);
  written_ += bytes.size();
  return {};
}

Done LfsUpload::finish(const std::stop_token& stop) {
  if (written_ != size_bytes_ || hasher_.finish() != sha256_) {
    return refuse(Reason::kInvalid,
                  fmt::format("these are not the bytes with the SHA-256 {}", sha256_.hex()));
  }
  XET_TRY(auto cas, server::make_local_cas(owner_.service_, {.repository = repository_},
                                           owner_.directory_ / fmt::format("{}", repository_),
                                           {.threads = kStoreThreads}));
  forget_old_shards(cas->shard_places().cache);
  const auto client =
      std::make_shared<Client>(std::make_shared<Client::Impl>(std::move(cas), owner_.engine()));
  UploadOptions options;
  options.session.stop = stop;
  UploadSession session(client, options);
  session.add_file(fmt::format("/proc/self/fd/{}", file_.fd()),
                   {.sha256 = Sha256Policy::kProvided, .provided_sha256 = sha256_});
  XET_TRY(const auto report, session.commit());
  if (!report.files.front()) return tl::unexpected<Refusal>(report.files.front().error());
  return {};
}

std::shared_ptr<session::Engine> LfsUploads::engine() {
  auto engine = engine_.lock();
  if (*engine == nullptr) *engine = std::make_shared<session::Engine>(0, kMemory, system_clock());
  return *engine;
}

Outcome<std::unique_ptr<LfsUpload>> LfsUploads::begin(store::RepositoryId repository,
                                                      const Sha256Digest& sha256, uint64_t size_bytes) {
  XET_TRY(auto file, open_nameless(directory_ / "incoming"));
  return std::unique_ptr<LfsUpload>(new LfsUpload(*this, std::move(file), repository, sha256, size_bytes));
}

}  // namespace xet::hub
