#include "server/core/embedded_store.h"

#include <fmt/format.h>

#include <utility>

#include "io/file.h"
#include "server/store/fs_object_store.h"
#include "server/store/sqlite_database.h"
#include "server/store/sqlite_hub_store.h"
#include "server/store/sqlite_meta_store.h"
#include "server/store/sync_health.h"

namespace xet::core {

namespace {

namespace fs = std::filesystem;

Status check_not_foreign(const fs::path& directory) {
  std::error_code ignored;
  if (!fs::exists(directory / "xet" / "xorbs", ignored)) return {};
  return fail(
      ErrorCode::kInvalidArgument,
      fmt::format(
          "{} holds a local store of the Rust client, which has another layout; choose an empty directory",
          directory.string()));
}

/// Creates a directory with its parents such that a power failure does not take them away again.
Status create_durable_directory(const fs::path& directory) {
  const fs::path parent = directory.parent_path();
  std::error_code ignored;
  if (parent != directory && !fs::exists(parent, ignored)) XET_TRY_STATUS(create_durable_directory(parent));
  XET_TRY_STATUS(io::create_directories(directory));
  return io::sync_directory(parent);
}

}  // namespace

Result<EmbeddedStore> open_embedded_store(const fs::path& directory, const EmbeddedStoreOptions& options) {
  XET_TRY_STATUS(check_not_foreign(directory));
  std::error_code error;
  fs::path root = fs::absolute(directory, error).lexically_normal();
  if (error)
    return fail(ErrorCode::kIo, fmt::format("cannot resolve {}: {}", directory.string(), error.message()));
  if (!root.has_filename()) root = root.parent_path();  // "DIR/"
  const fs::path database = root / "meta.sqlite";
  if (!fs::exists(database, error)) {
    if (!options.create) {
      return fail(ErrorCode::kNotFound, fmt::format("{} holds no store", directory.string()));
    }
    XET_TRY_STATUS(create_durable_directory(root));
  }

  auto health = std::make_shared<store::SyncHealth>();
  XET_TRY(const auto shared,
          store::SqliteDatabase::open(database, {.health = health, .clock = options.clock}));
  XET_TRY(auto objects, store::FsObjectStore::open(root, health, *options.clock));
  EmbeddedStore out;
  out.root = std::move(root);
  out.service =
      std::make_unique<CasService>(std::move(objects), std::make_unique<store::SqliteMetaStore>(shared),
                                   CasService::Options{.clock = options.clock, .health = health});
  out.hub = std::make_unique<store::SqliteHubStore>(shared);
  return out;
}

}  // namespace xet::core
