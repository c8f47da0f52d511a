#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "xet/hash.h"
#include "xet/result.h"

namespace xet::store {

/// Whom stored things belong to. Repository 0 ("local") is there from the start.
using RepositoryId = int64_t;
inline constexpr RepositoryId kLocalRepository = 0;

enum class XorbState : uint8_t {
  kLive = 0,
  kCondemned = 1,  ///< unreferenced for long; readable, and live again as soon as somebody refers to it
  kDeleting = 2,
  kGone = 3,
  kDamaged = 4,
};

/// One generation of a xorb.
struct XorbRow {
  uint64_t id = 0;  ///< dense number, what other tables and manifests refer to
  XorbHash hash;
  uint32_t generation = 0;
  XorbState state = XorbState::kLive;
  uint64_t object_bytes = 0;  ///< packed chunks, footer and its length field
  uint32_t tail_bytes = 0;    ///< footer and its length field
  uint32_t n_chunks = 0;
  uint64_t unpacked_bytes = 0;

  uint64_t packed_bytes() const { return object_bytes - tail_bytes; }
  friend bool operator==(const XorbRow&, const XorbRow&) = default;
};

struct XorbLookup {
  std::optional<XorbRow> usable;  ///< the generation that is live or condemned; there is at most one
  uint32_t next_generation = 0;   ///< for storing the xorb anew
};

struct XorbInsert {
  bool inserted = false;  ///< false: another generation, or another writer of this one, was first
  XorbRow row;            ///< the row that is usable now
};

struct FileRow {
  FileHash hash;
  uint64_t size_bytes = 0;
  uint32_t n_terms = 0;
  ByteVector inline_manifest;  ///< empty: it is the object of manifest_generation
  uint32_t manifest_generation = 0;
};

/// What registering one shard writes, all in one transaction.
struct ShardCommit {
  struct File {
    FileHash hash;
    uint64_t size_bytes = 0;
    uint32_t n_terms = 0;
    std::optional<Sha256Digest> sha256;
    ByteVector inline_manifest;  ///< empty: it is the object of manifest_generation
    uint32_t manifest_generation = 0;
  };
  struct KeyChunk {
    ChunkHash hash;
    uint32_t xorb_index = 0;  ///< into `xorbs`
  };

  RepositoryId repository = kLocalRepository;
  ShardHash shard;
  uint64_t object_bytes = 0;
  std::vector<XorbRow>
      xorbs;  ///< every xorb the shard refers to or describes, each once, in order of first use
  std::vector<File> files;
  std::vector<KeyChunk> key_chunks;
};

struct ShardCommitOutcome {
  /// Of `files`, those that had a manifest already; theirs stays.
  std::vector<size_t> known_files;
};

/// What a repository holds. The numbers are written to disk.
enum class RepositoryType : uint8_t { kLocal = 0, kModel = 1, kDataset = 2, kSpace = 3, kBucket = 4 };

struct RepositoryName {
  RepositoryType type = RepositoryType::kLocal;
  std::string_view name_space;
  std::string_view name;
};

struct ShardRow {
  uint64_t id = 0;
  ShardHash hash;
  uint64_t object_bytes = 0;
};

/// What a signing key is for. The numbers are written to disk.
enum class KeyPurpose : uint8_t {
  kToken = 1,  ///< Ed25519: the 32 bytes of the private key
  kUrl = 2,    ///< HMAC-SHA256: 32 bytes
  kDedup = 3,  ///< what keys of dedup answers are made from: 32 bytes
};

struct SigningKey {
  uint32_t id = 0;
  ByteVector secret;
};

/// Counts and sums over rows.
struct MetaTotals {
  uint64_t xorbs = 0;  ///< usable ones
  uint64_t unpacked_bytes = 0;
  uint64_t object_bytes = 0;
  uint64_t shards = 0;
  uint64_t files = 0;
  uint64_t logical_bytes = 0;
  uint64_t repositories = 0;
};

/// Everything about the store that is not bulk: which xorbs, shards and files there are, and who may refer to
/// them. Every call is one transaction, durable when it returns, and blocks. Thread-safe, and safe between
/// processes.
class MetaStore {
 public:
  virtual ~MetaStore() = default;

  virtual Result<XorbLookup> find_xorb(const XorbHash& xorb) = 0;
  /// The usable generation of each xorb, in the same order; nullopt where there is none. One view of the
  /// store, and much faster than one by one.
  virtual Result<std::vector<std::optional<XorbRow>>> find_usable_xorbs(std::span<const XorbHash> xorbs) = 0;
  /// Adds a generation as live, unless another one is usable; a condemned one is live afterwards.
  /// `row.id` and `row.state` are not looked at. kInvalidArgument for an unknown repository.
  virtual Result<XorbInsert> insert_xorb(RepositoryId repository, const XorbRow& row) = 0;
  /// Makes a condemned generation live again. False when it is no longer usable.
  virtual Result<bool> revive_xorb(const XorbRow& row) = 0;

  virtual Result<std::optional<FileRow>> find_file(const FileHash& file) = 0;
  /// Whether the repository has registered the file: the right to read it.
  virtual Result<bool> may_read(RepositoryId repository, const FileHash& file) = 0;
  /// find_file() for a file that the repository has registered; nullopt for others.
  virtual Result<std::optional<FileRow>> find_file_of(RepositoryId repository, const FileHash& file) = 0;

  /// Whether this repository has registered the very shard, with all its xorbs still usable; these count as
  /// referred to anew then, as by commit_shard().
  virtual Result<bool> touch_shard(RepositoryId repository, const ShardHash& shard) = 0;
  /// kNotFound, naming it, when a xorb is not usable any more. Registering known things again is fine.
  virtual Result<ShardCommitOutcome> commit_shard(const ShardCommit& commit) = 0;

  /// The usable xorb that holds a key chunk, as far as the repository's namespace may know, followed by its
  /// neighbours: up to `max_neighbours` usable xorbs that stand nearest to it in the shard it was registered
  /// with. Empty: unknown.
  virtual Result<std::vector<XorbRow>> find_key_chunk(RepositoryId repository, const ChunkHash& chunk,
                                                      uint32_t max_neighbours) = 0;

  virtual Result<std::optional<RepositoryId>> find_repository(const RepositoryName& name) = 0;
  /// The repository of that name, made together with its namespace when it is missing.
  virtual Result<RepositoryId> ensure_repository(const RepositoryName& name) = 0;

  /// The keys for a purpose, the one to sign with last. When there is none, `make` gives the secret of the
  /// first one: all processes of a store get the same. From then on the database is its owner's alone.
  virtual Result<std::vector<SigningKey>> signing_keys(KeyPurpose purpose,
                                                       const std::function<Result<ByteVector>()>& make) = 0;

  // For people, metrics and checks. Pages follow each other by number: `after` is that of the last row seen,
  // 0 at first.
  virtual Result<MetaTotals> totals() = 0;
  /// Usable xorbs.
  virtual Result<std::vector<XorbRow>> xorbs_after(uint64_t after, uint32_t limit) = 0;
  virtual Result<std::vector<ShardRow>> shards_after(uint64_t after, uint32_t limit) = 0;
  struct NumberedFile {
    uint64_t number = 0;
    FileRow row;
  };
  virtual Result<std::vector<NumberedFile>> files_after(uint64_t after, uint32_t limit) = 0;
  virtual Result<bool> shard_exists(const ShardHash& shard) = 0;
  /// One line for each thing that is wrong with the database itself, or with rows that refer to each other;
  /// `thorough` reads all of it.
  virtual Result<std::vector<std::string>> find_inconsistencies(bool thorough) = 0;
};

}  // namespace xet::store
