#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "server/store/meta_store.h"
#include "xet/hash.h"
#include "xet/result.h"

namespace xet::store {

/// The numbers are written to disk.
enum class GitKind : uint8_t { kBlob = 1, kTree = 2, kCommit = 3 };

/// The SHA-1 that Git names an object by.
struct GitId {
  std::array<std::byte, 20> raw{};

  /// Of an object's content, without the header that Git hashes with it.
  static GitId of(GitKind kind, ByteSpan data);
  /// 40 hex digits, lower case.
  std::string hex() const;
  /// nullopt unless it is 40 hex digits.
  static std::optional<GitId> from_hex(std::string_view hex);
  /// nullopt unless it is 20 bytes.
  static std::optional<GitId> from_raw(ByteSpan bytes);
  friend auto operator<=>(const GitId&, const GitId&) = default;
};

/// An object as Git hashes it, without the header.
struct GitObject {
  GitId id;
  GitKind kind = GitKind::kBlob;
  ByteVector data;
};

/// Milliseconds since 1970.
using TimeMs = int64_t;

struct HubRepository {
  RepositoryId id = 0;
  RepositoryType type = RepositoryType::kModel;
  std::string name_space;
  std::string name;
  bool is_private = false;
  TimeMs created = 0;
  TimeMs updated = 0;

  std::string full_name() const { return name_space + "/" + name; }
};

/// A file of a repository that lies in the CAS, by the SHA-256 that commits name it with.
struct LfsFile {
  Sha256Digest sha256;
  FileHash file;
  uint64_t size_bytes = 0;
};

struct Ref {
  std::string name;  ///< "refs/heads/main"
  GitId commit;
};

/// What one commit writes, all in one transaction.
struct RefUpdate {
  RepositoryId repository = 0;
  std::string ref;
  std::optional<GitId> expected;  ///< nullopt: the ref must not be there
  std::optional<GitId> target;    ///< nullopt: the ref goes
  std::vector<GitObject> objects;
  std::vector<LfsFile> lfs_files;  ///< what its SHA-256 means from now on, unless it means something already
};

struct BucketEntry {
  std::string path;
  FileHash file;
  uint64_t size_bytes = 0;
  TimeMs modified = 0;  ///< as the client says
  TimeMs uploaded = 0;
  std::string content_type;
};

struct BucketTotals {
  uint64_t files = 0;
  uint64_t bytes = 0;
};

/// A line of a bucket batch. `put` without value deletes.
struct BucketChange {
  std::string path;
  std::optional<BucketEntry> put;
};

/// The numbers are written to disk.
enum class TokenRole : uint8_t { kRead = 1, kWrite = 2, kAdmin = 3 };

struct TokenRow {
  int64_t id = 0;
  std::string user;
  TokenRole role = TokenRole::kRead;
  std::string label;
  std::vector<std::string> name_spaces;  ///< where the role holds
  TimeMs created = 0;
  std::optional<TimeMs> expires;
  std::optional<TimeMs> revoked;
};

struct UserRow {
  std::string name;
  TimeMs created = 0;
};

/// Repositories with their commits, buckets with their entries, users with their tokens. The other half of a
/// MetaStore's database, with the same rules: every call is one transaction, durable when it returns, and
/// blocks. Thread-safe, and safe between processes. Says nothing about who may do what.
class HubStore {
 public:
  virtual ~HubStore() = default;

  // --- Users and tokens

  /// False when there is one of that name, in any case.
  virtual Result<bool> add_user(std::string_view name) = 0;
  virtual Result<bool> has_user(std::string_view name) = 0;
  virtual Result<std::vector<UserRow>> users() = 0;
  /// kNotFound for an unknown user. `id`, `created` and `revoked` of the row are not looked at. Gives the id.
  virtual Result<int64_t> add_token(const TokenRow& row, const Sha256Digest& token_hash) = 0;
  /// Revoked and expired ones too.
  virtual Result<std::optional<TokenRow>> find_token(const Sha256Digest& token_hash) = 0;
  virtual Result<std::optional<TokenRow>> token(int64_t id) = 0;
  virtual Result<std::vector<TokenRow>> tokens() = 0;
  /// False when there is none, or it is revoked already.
  virtual Result<bool> revoke_token(int64_t id) = 0;

  // --- Repositories and buckets

  struct Created {
    HubRepository repository;
    bool is_new = false;
  };
  /// The repository, made with its namespace and first commit when it is missing. `first` may be empty, for
  /// buckets. Names that differ in case alone are the same.
  virtual Result<Created> create_repository(const RepositoryName& name, bool is_private,
                                            const std::optional<RefUpdate>& first) = 0;
  /// By its name in any case, or by one that it had before it was moved.
  virtual Result<std::optional<HubRepository>> repository(const RepositoryName& name) = 0;
  virtual Result<std::optional<HubRepository>> repository(RepositoryId id) = 0;
  /// Of one type, by namespace and name. `name_space` empty: all. Pages follow each other by `after`, the id
  /// of the last one.
  virtual Result<std::vector<HubRepository>> repositories(RepositoryType type, std::string_view name_space,
                                                          RepositoryId after, uint32_t limit) = 0;
  virtual Status set_private(RepositoryId repository, bool is_private) = 0;
  /// kInvalidArgument when the new name is taken.
  virtual Status move_repository(RepositoryId repository, const RepositoryName& to) = 0;
  /// The name is free from then on. Objects and rows stay, out of reach.
  virtual Status delete_repository(RepositoryId repository) = 0;

  // --- Git

  virtual Result<std::optional<GitId>> ref(RepositoryId repository, std::string_view name) = 0;
  virtual Result<std::vector<Ref>> refs(RepositoryId repository) = 0;
  /// False, and nothing is done, when the ref is not what is expected.
  virtual Result<bool> update_ref(const RefUpdate& update) = 0;
  virtual Result<std::optional<GitObject>> object(RepositoryId repository, const GitId& id) = 0;
  /// At most `limit` commits with ids from `first` to `last`.
  virtual Result<std::vector<GitId>> commits_between(RepositoryId repository, const GitId& first,
                                                     const GitId& last, uint32_t limit) = 0;
  /// Size and, up to `max_data` bytes, content of blobs, in the same order; nullopt where there is none.
  struct BlobInfo {
    uint64_t size_bytes = 0;
    std::optional<ByteVector> data;
  };
  virtual Result<std::vector<std::optional<BlobInfo>>> blobs(RepositoryId repository,
                                                             std::span<const GitId> ids,
                                                             uint64_t max_data) = 0;
  /// What a commit of the repository means by each SHA-256; where none does, what was uploaded to the
  /// repository with it. In the same order.
  virtual Result<std::vector<std::optional<LfsFile>>> lfs_files(RepositoryId repository,
                                                                std::span<const Sha256Digest> sha256) = 0;

  // --- What was uploaded

  /// Size of a file that was uploaded to the repository; nullopt when it was not.
  virtual Result<std::optional<uint64_t>> receipt(RepositoryId repository, const FileHash& file) = 0;
  /// Gives `to` what `from` has: a right to read, and to commit, the files. Says of each, in the same order,
  /// whether `from` has it. The empty file, which nobody uploads, a repository has when a path of it has.
  virtual Result<std::vector<bool>> share_receipts(RepositoryId from, RepositoryId to,
                                                   std::span<const FileHash> files) = 0;

  // --- Buckets

  virtual Result<BucketTotals> bucket_totals(RepositoryId bucket) = 0;
  virtual Result<std::optional<BucketEntry>> bucket_entry(RepositoryId bucket, std::string_view path) = 0;
  /// Entries whose path is greater than `after`, and below `prefix` ("" or "some/folder/").
  virtual Result<std::vector<BucketEntry>> bucket_entries(RepositoryId bucket, std::string_view prefix,
                                                          std::string_view after, uint32_t limit) = 0;
  /// All of them, or none.
  virtual Status change_bucket(RepositoryId bucket, std::span<const BucketChange> changes) = 0;
};

}  // namespace xet::store
