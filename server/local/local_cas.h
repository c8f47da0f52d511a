#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>

#include "cas/cas.h"
#include "server/core/cas_service.h"
#include "xet/result.h"

namespace xet::server {

struct LocalCasOptions {
  size_t threads = 4;  ///< for blocking work: verifying, reading, syncing
};

/// Opens the embedded store in `directory`, which is made when it is missing. Any number of them may be open
/// on one directory, in this and other processes. kInvalidArgument when the directory holds a store of the
/// genuine Rust client or of a newer version of this program. Blocks.
///
/// Callbacks come on the store's own threads. The store must not be destroyed from one of its callbacks.
Result<std::unique_ptr<cas::Cas>> open_local_cas(const std::filesystem::path& directory,
                                                 const LocalCasOptions& options = {});

/// The same over a service that is open already, on behalf of one principal. Shards of its uploads are kept
/// below `directory`, which is made when it is missing. The service must outlive the Cas.
Result<std::unique_ptr<cas::Cas>> make_local_cas(core::CasService& service, const core::Principal& who,
                                                 const std::filesystem::path& directory,
                                                 const LocalCasOptions& options = {});

}  // namespace xet::server
