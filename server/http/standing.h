#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "base/sync.h"
#include "server/hub/hub.h"
#include "server/store/meta_store.h"
#include "xet/result.h"

namespace xet::http {

/// Whether the repository of a CAS token is still there, and the Hub's token that it was given for still
/// good: a CAS token says neither, and lives for an hour. Remembered for a few seconds. Thread-safe.
class Standing {
 public:
  static constexpr std::chrono::seconds kRemembered{5};

  /// nullopt: not known now; look().
  std::optional<bool> known(store::RepositoryId repository, int64_t hub_token,
                            std::chrono::steady_clock::time_point now) const;
  /// Blocks.
  hub::Outcome<bool> look(hub::Hub& hub, store::RepositoryId repository, int64_t hub_token,
                          std::chrono::steady_clock::time_point now);

 private:
  struct Entry {
    bool good = false;
    std::chrono::steady_clock::time_point at;
  };
  static constexpr size_t kMaxEntries = 10'000;
  mutable Sync<std::map<std::pair<store::RepositoryId, int64_t>, Entry>> entries_;
};

}  // namespace xet::http
