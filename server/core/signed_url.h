#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "format/xorb_footer.h"
#include "server/store/meta_store.h"
#include "xet/hash.h"
#include "xet/result.h"

namespace xet::core {

/// Leave to read parts of one generation of a xorb.
struct DataGrant {
  XorbHash xorb;
  uint32_t generation = 0;
  std::vector<format::PackedRange> ranges;                   ///< sorted, apart, none empty; at least one
  uint64_t expires_at_s = 0;                                 ///< Unix seconds; from then on it is refused
  store::RepositoryId repository = store::kLocalRepository;  ///< on whose behalf, for logs and limits

  friend bool operator==(const DataGrant&, const DataGrant&) = default;
};

/// Leave to upload one xorb of these bytes.
struct UploadGrant {
  XorbHash xorb;
  store::RepositoryId repository = store::kLocalRepository;
  uint64_t length = 0;        ///< of the body
  uint64_t crc64 = 0;         ///< CRC-64/NVME of the body
  uint64_t expires_at_s = 0;  ///< Unix seconds; from then on it is refused

  friend bool operator==(const UploadGrant&, const UploadGrant&) = default;
};

/// Leave to read a file of a repository as it is, without a token.
struct FileGrant {
  FileHash file;
  store::RepositoryId repository = store::kLocalRepository;
  uint64_t size_bytes = 0;
  std::optional<Sha256Digest> sha256;  ///< what the file is called where it is versioned
  uint64_t expires_at_s = 0;           ///< Unix seconds; from then on it is refused

  friend bool operator==(const FileGrant&, const FileGrant&) = default;
};

/// Leave to upload one file as it is: the bytes that have this SHA-256.
struct LfsGrant {
  Sha256Digest sha256;
  store::RepositoryId repository = store::kLocalRepository;
  uint64_t size_bytes = 0;
  uint64_t expires_at_s = 0;  ///< Unix seconds; from then on it is refused

  friend bool operator==(const LfsGrant&, const LfsGrant&) = default;
};

/// Writes and checks what the server hands out instead of remembering it: HMAC-SHA256, truncated to 128 bit,
/// with a key from the store's metadata, so that all processes of one store take each other's. Thread-safe.
class UrlSigner {
 public:
  /// More ranges than that make URLs that some clients and proxies refuse: split.
  static constexpr size_t kMaxRanges = 500;
  /// Longest path and query together that is looked at.
  static constexpr size_t kMaxUrlBytes = 16 * 1024;

  /// Loads the keys of the store; makes the first one. The clock must outlive the signer.
  static Result<std::unique_ptr<UrlSigner>> open(store::MetaStore& meta, const Clock& clock);
  ~UrlSigner();
  UrlSigner(const UrlSigner&) = delete;
  UrlSigner& operator=(const UrlSigner&) = delete;

  /// "/d/<xorb>.<generation>?e=…&k=…&p=…&r=…&s=…", below 8 KiB. At most kMaxRanges ranges, as DataGrant wants
  /// them (checked). Secret: not to be logged.
  std::string path_and_query(const DataGrant& grant) const;
  /// `path` as it was sent, `query` without '?'. kUnauthorized for anything that we did not write, byte for
  /// byte, and for what is expired.
  Result<DataGrant> check(std::string_view path, std::string_view query) const;

  /// An opaque id for paths and URLs: letters, digits, '-' and '_'. Secret: not to be logged.
  std::string grant_id(const UploadGrant& grant) const;
  /// kUnauthorized for anything that we did not write, and for what is expired.
  Result<UploadGrant> check_grant_id(std::string_view id) const;
  /// The same for the other grants. None is taken for one of another kind.
  std::string file_id(const FileGrant& grant) const;
  Result<FileGrant> check_file_id(std::string_view id) const;
  std::string lfs_id(const LfsGrant& grant) const;
  Result<LfsGrant> check_lfs_id(std::string_view id) const;

 private:
  struct State;
  explicit UrlSigner(std::unique_ptr<State> state);
  const std::unique_ptr<State> state_;
};

}  // namespace xet::core
