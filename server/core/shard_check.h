#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <unordered_map>
#include <vector>

#include "format/shard_stream.h"
#include "server/core/footer_cache.h"
#include "server/store/meta_store.h"

namespace xet::core {

/// Checks the records of a shard, one by one, against the stored xorbs, and collects what has to be
/// registered. Not thread-safe.
class ShardCheck {
 public:
  /// A checked file with its compiled manifest.
  struct File {
    FileHash hash;
    uint64_t size_bytes = 0;
    uint32_t n_terms = 0;
    std::optional<Sha256Digest> sha256;
    ByteVector manifest;
  };

  ShardCheck(store::MetaStore& meta, FooterCache& footers, std::stop_token stop)
      : meta_(meta), footers_(footers), stop_(std::move(stop)) {}

  Status add_file(const format::FileRecord& file);
  Status add_xorb(const format::XorbRecord& xorb);

  /// Bytes of the upload form of what was added.
  uint64_t encoded_bytes() const { return encoded_bytes_; }

  std::vector<File>& files() { return files_; }
  /// Every xorb met, each once, in order of first use.
  std::vector<store::XorbRow>& xorbs() { return xorbs_; }
  std::vector<store::ShardCommit::KeyChunk>& key_chunks() { return key_chunks_; }

 private:
  Result<uint32_t> index_of(const XorbHash& xorb);
  Status check_file(const format::FileRecord& file, File& out);
  Status check_xorb(const format::XorbRecord& xorb);

  store::MetaStore& meta_;
  FooterCache& footers_;
  const std::stop_token stop_;
  std::unordered_map<XorbHash, uint32_t> index_of_;
  std::vector<store::XorbRow> xorbs_;
  std::vector<File> files_;
  std::vector<store::ShardCommit::KeyChunk> key_chunks_;
  size_t n_xorb_records_ = 0;
  uint64_t encoded_bytes_ = 3 * 48;  // header and two bookends
};

}  // namespace xet::core
