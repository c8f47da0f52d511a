#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <vector>

#include "base/bytes.h"
#include "cas/cas.h"
#include "format/shard.h"
#include "server/local/local_cas.h"

namespace xet::testing {

/// A xorb with everything that is known about it.
struct SampleXorb {
  XorbHash hash;
  std::vector<ByteVector> chunks;
  std::vector<ChunkHash> chunk_hashes;
  ByteVector body;  ///< packed, without footer
  cas::XorbBody put_body() const {
    return {.hash = hash, .pieces = {ByteSpan(body)}, .size_bytes = body.size()};
  }
};

SampleXorb pack_xorb(std::vector<ByteVector> chunks);
/// `n_chunks` chunks of different lengths, compressible and not.
SampleXorb make_xorb(size_t n_chunks, uint64_t seed, size_t min_len = 100, size_t max_len = 3000);

/// A run of chunks of a sample.
struct ChunkRun {
  const SampleXorb* xorb;
  uint32_t begin;
  uint32_t end;
};
format::FileRecord make_file(const std::vector<ChunkRun>& runs);
ByteVector content_of(const std::vector<ChunkRun>& runs);
format::XorbRecord record_of(const SampleXorb& xorb);
/// Upload form, sorted as it must be.
ByteVector make_shard(std::vector<format::FileRecord> files, const std::vector<const SampleXorb*>& xorbs);

/// Blocking calls on a store. The store is borrowed.
class Store {
 public:
  explicit Store(cas::Cas& cas) : cas_(cas) {}

  Result<cas::PutXorbOutcome> put_xorb(cas::XorbBody body, std::stop_token stop = {});
  Result<cas::PutXorbOutcome> put_xorb(const SampleXorb& xorb) { return put_xorb(xorb.put_body()); }
  Status put_shard(ByteVector shard, std::stop_token stop = {});
  Result<bool> xorb_exists(const XorbHash& xorb);
  Result<uint64_t> file_size(const FileHash& file);
  Result<cas::Reconstruction> reconstruct(const FileHash& file,
                                          std::optional<cas::ByteRange> range = std::nullopt);
  Result<ByteVector> fetch(const XorbHash& xorb, const cas::FetchRange& range);
  Result<std::optional<ByteVector>> query_dedup(const ChunkHash& chunk);
  /// Reconstructs, fetches, decodes, and compares every chunk with the hash that the store tells.
  Result<ByteVector> read(const FileHash& file, std::optional<cas::ByteRange> range = std::nullopt);

 private:
  cas::Cas& cas_;
};

/// Opens a store or fails the test by an exception.
std::unique_ptr<cas::Cas> open_store(const std::filesystem::path& directory);

/// All regular files below a directory, relative, sorted. Without the database's.
std::vector<std::string> objects_in(const std::filesystem::path& directory);

}  // namespace xet::testing
