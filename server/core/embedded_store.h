#pragma once

#include <filesystem>
#include <memory>

#include "base/clock.h"
#include "server/core/cas_service.h"
#include "server/store/hub_store.h"
#include "xet/result.h"

namespace xet::core {

struct EmbeddedStoreOptions {
  bool create = true;  ///< false: kNotFound when the directory holds no store
  /// For the times that the store writes down. Must outlive the store.
  const Clock* clock = &system_clock();
};

/// The store in a directory (docs/format/store.md): files and SQLite behind a CasService, and what
/// the Hub keeps beside it.
struct EmbeddedStore {
  std::filesystem::path root;  ///< absolute
  std::unique_ptr<CasService> service;
  std::unique_ptr<store::HubStore> hub;
};

/// Opens the store in `directory`, making both when they are missing. Any number may be open on one
/// directory, in this and other processes. kInvalidArgument when the directory holds a store of the genuine
/// Rust client or of a newer version of this program. Blocks.
Result<EmbeddedStore> open_embedded_store(const std::filesystem::path& directory,
                                          const EmbeddedStoreOptions& options = {});

}  // namespace xet::core
