#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>

#include "base/bytes.h"
#include "base/clock.h"
#include "server/core/footer_cache.h"
#include "server/core/reconstruct.h"
#include "server/store/meta_store.h"
#include "server/store/object_store.h"
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

/// What a content-addressed store does, without a protocol: the embedded store and the HTTP server are both
/// thin fronts over it. Calls block; thread-safe.
class CasService {
 public:
  struct Options {
    size_t footer_cache_bytes = 16 << 20;  ///< about 400 xorbs of 1,000 chunks
    const Clock* clock = &system_clock();
  };
  CasService(std::unique_ptr<store::ObjectStore> objects, std::unique_ptr<store::MetaStore> meta,
             Options options);

  /// Logical size of a file. kNotFound when it is unknown or not the principal's to read.
  Result<uint64_t> file_size(const Principal& who, const FileHash& file);

  /// Terms that cover `range`, or the whole file. A range is cut at the end of the file; one that is empty
  /// then gives no terms. The zero hash is the empty file, and always known.
  Result<Reconstruction> reconstruct(const Principal& who, const FileHash& file,
                                     std::optional<FileRange> range, ChunkHashes chunk_hashes);

  /// The packed bytes of a stored xorb. The front decides which ranges of it a caller may see.
  struct OpenXorb {
    store::XorbRow row;
    std::unique_ptr<store::ObjectReader> object;
  };
  Result<OpenXorb> open_xorb(const XorbHash& xorb);
  Result<bool> xorb_exists(const XorbHash& xorb);

  /// See ingest_xorb: true when the xorb is new.
  Result<bool> put_xorb(const Principal& who, const XorbHash& name, std::span<const ByteSpan> body,
                        const std::stop_token& stop);
  /// See ingest_shard.
  Status put_shard(const Principal& who, ByteSpan shard, const std::stop_token& stop);

  /// See dedup_answer.
  Result<std::optional<ByteVector>> query_dedup(const Principal& who, const ChunkHash& chunk);

 private:
  Result<store::FileRow> find_readable(const Principal& who, const FileHash& file);
  Result<Reconstruction> plan(store::FileRow row, FileRange range, ChunkHashes chunk_hashes);

  const Options options_;
  const std::unique_ptr<store::ObjectStore> objects_;
  const std::unique_ptr<store::MetaStore> meta_;
  FooterCache footers_;
};

}  // namespace xet::core
