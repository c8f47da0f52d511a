#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <stop_token>

#include "base/bytes.h"
#include "base/sync.h"
#include "hash/sha256.h"
#include "io/file.h"
#include "server/core/cas_service.h"
#include "server/hub/refusal.h"
#include "server/store/meta_store.h"
#include "session/engine.h"
#include "xet/hash.h"

namespace xet::hub {

class LfsUploads;

/// One file that comes as it is, for a repository. Its bytes are kept in a file without a name until they are
/// known to be the right ones; then they are chunked and stored like those of any other client. Dropped
/// without finish(), nothing stays. From one thread at a time; calls block.
class LfsUpload {
 public:
  /// kInvalid for more bytes than were announced.
  Done write(ByteSpan bytes);
  /// kInvalid when the bytes are not those of the SHA-256: then nothing was stored. Otherwise the repository
  /// has the file, durably.
  Done finish(const std::stop_token& stop);

 private:
  friend class LfsUploads;
  LfsUpload(LfsUploads& owner, io::File file, store::RepositoryId repository, const Sha256Digest& sha256,
            uint64_t size_bytes)
      : owner_(owner),
        file_(std::move(file)),
        repository_(repository),
        sha256_(sha256),
        size_bytes_(size_bytes) {}

  LfsUploads& owner_;
  const io::File file_;
  const store::RepositoryId repository_;
  const Sha256Digest sha256_;
  const uint64_t size_bytes_;
  uint64_t written_ = 0;
  hash::Sha256 hasher_;
};

/// Begins such uploads. The threads that chunk are made for the first one. Thread-safe.
class LfsUploads {
 public:
  /// `directory` is made when it is needed. The service must outlive this.
  LfsUploads(core::CasService& service, std::filesystem::path directory)
      : service_(service), directory_(std::move(directory)) {}

  Outcome<std::unique_ptr<LfsUpload>> begin(store::RepositoryId repository, const Sha256Digest& sha256,
                                            uint64_t size_bytes);

 private:
  friend class LfsUpload;
  std::shared_ptr<session::Engine> engine();

  core::CasService& service_;
  const std::filesystem::path directory_;
  Sync<std::shared_ptr<session::Engine>> engine_;
};

}  // namespace xet::hub
