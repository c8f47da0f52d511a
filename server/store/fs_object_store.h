#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <set>
#include <string>

#include "base/clock.h"
#include "base/sync.h"
#include "server/store/object_store.h"
#include "server/store/sync_health.h"

namespace xet::store {

/// Objects as files below a directory. An object is written in `tmp/`, synced, and moved to its name without
/// replacing anything; then the folder is synced. `tmp/` must be on the same file system as the folders.
class FsObjectStore final : public ObjectStore {
 public:
  /// How long an abandoned temporary file stays: longer than any upload.
  static constexpr std::chrono::hours kTempLifetime{24};

  /// Creates the folders where they are missing and removes temporary files that killed processes left long
  /// ago.
  static Result<std::unique_ptr<FsObjectStore>> open(const std::filesystem::path& directory,
                                                     std::shared_ptr<SyncHealth> health,
                                                     const Clock& clock = system_clock());

  Result<std::unique_ptr<ObjectWriter>> create() override;
  Result<std::unique_ptr<ObjectReader>> open(const ObjectKey& key) override;
  Status remove(const ObjectKey& key) override;
  Status list(std::string_view kind, const std::function<Status(const ObjectInfo&)>& each) override;
  std::optional<uint64_t> free_bytes() const override;

 private:
  class Writer;
  FsObjectStore(std::filesystem::path directory, std::shared_ptr<SyncHealth> health)
      : directory_(std::move(directory)), health_(std::move(health)) {}

  std::filesystem::path path_of(const ObjectKey& key) const { return directory_ / key.path; }
  Status ensure_folder(const std::filesystem::path& folder);
  Status sync_folder(const std::filesystem::path& folder);

  const std::filesystem::path directory_;
  const std::shared_ptr<SyncHealth> health_;  // shared with the MetaStore: one failed sync stops both
  Sync<std::set<std::string>> durable_folders_;
};

}  // namespace xet::store
