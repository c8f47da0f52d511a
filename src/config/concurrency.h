#pragma once

#include <cstdint>

#include "xet/config.h"

namespace xet::config {

/// How many transfers may run at once.
struct Concurrency {
  uint64_t initial = 0;
  uint64_t least = 0;
  uint64_t most = 0;
};

/// `client.ac_…_upload_concurrency`. Limits that contradict each other are moved, as the genuine client does:
/// the least first, then the most.
Concurrency upload_concurrency(const Config& config);
/// `client.ac_…_download_concurrency`.
Concurrency download_concurrency(const Config& config);

}  // namespace xet::config
