#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "server/core/dedup_answer.h"
#include "server/core/footer_cache.h"
#include "server/core/fsck.h"
#include "server/core/reconstruct.h"
#include "server/core/shard_ingest.h"
#include "server/core/xorb_upload.h"
#include "server/store/meta_store.h"
#include "server/store/object_store.h"
#include "server/store/sync_health.h"
#include "xet/hash.h"
#include "xet/result.h"

namespace xet::core {

/// On whose behalf a call is made. Whoever builds one has checked the credentials.
struct Principal {
  store::RepositoryId repository = store::kLocalRepository;
  /// Otherwise only what the repository itself has registered can be read: to know a file's hash grants
  /// nothing.
  bool reads_every_file = false;
};

/// How to rebuild several whole files.
struct BatchReconstruction {
  struct File {
    FileHash hash;
    std::vector<Reconstruction::Term> terms;  ///< their xorbs are indices into `xorbs` below
  };
  std::vector<File> files;  ///< those that are the principal's to read, each once, as they were asked for
  std::vector<Reconstruction::Xorb> xorbs;  ///< of all files; ranges merged as in a Reconstruction
};

struct StoreStats {
  uint64_t xorbs = 0;  ///< usable ones
  uint64_t shards = 0;
  uint64_t files = 0;
  uint64_t repositories = 0;
  uint64_t logical_bytes = 0;          ///< sum of the files' sizes, each file once
  uint64_t unpacked_bytes = 0;         ///< of the usable xorbs' chunks
  uint64_t stored_bytes = 0;           ///< of the usable xorbs' objects
  std::optional<uint64_t> free_bytes;  ///< where the objects lie, as far as it can be told
};

/// What a content-addressed store does, without a protocol: the embedded store and the HTTP server are both
/// thin fronts over it. Calls block; thread-safe.
class CasService {
 public:
  /// Most files of one batch.
  static constexpr size_t kMaxBatch = 1000;

  struct Options {
    size_t footer_cache_bytes = 16 << 20;  ///< about 400 xorbs of 1,000 chunks
    const Clock* clock = &system_clock();
    /// Tells when writing has ended for this process; shared with both stores. None: never.
    std::shared_ptr<store::SyncHealth> health;
  };
  CasService(std::unique_ptr<store::ObjectStore> objects, std::unique_ptr<store::MetaStore> meta,
             Options options);

  /// The number of a repository "TYPE/NAMESPACE/NAME" with type model, dataset, space or bucket, or of
  /// "local", which every store has. Chunks are deduplicated inside a namespace. kInvalidArgument for other
  /// names, kNotFound when it is unknown and not to be created.
  Result<store::RepositoryId> repository(std::string_view name, bool create);

  /// Logical size of a file. kNotFound when it is unknown or not the principal's to read.
  Result<uint64_t> file_size(const Principal& who, const FileHash& file);

  /// Terms that cover `range`, or the whole file. A range is cut at the end of the file; one that is empty
  /// then gives no terms. The zero hash is the empty file, and always known.
  Result<Reconstruction> reconstruct(const Principal& who, const FileHash& file,
                                     std::optional<FileRange> range, ChunkHashes chunk_hashes);
  /// Several whole files at once. Files that are unknown or not the principal's to read are left out.
  /// kRefused for more than kMaxBatch.
  Result<BatchReconstruction> reconstruct_batch(const Principal& who, std::span<const FileHash> files);

  /// The packed bytes of a stored xorb. The front decides which ranges of it a caller may see.
  struct OpenXorb {
    store::XorbRow row;
    std::unique_ptr<store::ObjectReader> object;
  };
  Result<OpenXorb> open_xorb(const XorbHash& xorb);
  /// The same for one generation, as signed URLs name it; kNotFound when that one is not usable.
  Result<OpenXorb> open_xorb(const XorbHash& xorb, uint32_t generation);
  Result<bool> xorb_exists(const XorbHash& xorb);

  /// Storing a xorb whose bytes come piece by piece. The service must outlive the upload.
  Result<std::unique_ptr<XorbUpload>> begin_xorb(const Principal& who, const XorbHash& name,
                                                 std::stop_token stop);
  /// The same with all bytes at hand: true when the xorb is new.
  Result<bool> put_xorb(const Principal& who, const XorbHash& name, std::span<const ByteSpan> body,
                        const std::stop_token& stop);

  /// See ingest_shard.
  Result<PutShardOutcome> put_shard(const Principal& who, ByteSpan shard, const ShardProgress& progress,
                                    const std::stop_token& stop);

  /// See dedup_answer. Plain chunk hashes are only for those who may read every file: together with the name
  /// of a xorb they are as good as its bytes, since who tells them may register a file over it.
  Result<std::optional<ByteVector>> query_dedup(const Principal& who, const ChunkHash& chunk);

  /// False once a sync has failed: then the service only reads, until the program is started again.
  bool healthy() const;
  /// Counts rows: for people and for metrics that are kept a while, not for every request.
  Result<StoreStats> stats();
  /// See core::fsck.
  Result<FsckSummary> fsck(const FsckOptions& options,
                           const std::function<void(const FsckFinding&)>& on_finding,
                           const std::stop_token& stop);

  /// For opening a TokenAuthority and a UrlSigner on the same store.
  store::MetaStore& meta() { return *meta_; }

 private:
  Result<store::FileRow> find_readable(const Principal& who, const FileHash& file);

  const Options options_;
  const std::unique_ptr<store::ObjectStore> objects_;
  const std::unique_ptr<store::MetaStore> meta_;
  FooterCache footers_;
  DedupKeys dedup_keys_;
};

}  // namespace xet::core
