#include "server/core/shard_check.h"

#include <fmt/format.h>

#include <span>
#include <utility>

#include "hash/blake3.h"
#include "hash/tree.h"
#include "server/core/manifest.h"

namespace xet::core {

namespace {

constexpr uint64_t kRecordSize = 48;

/// One chunk in 1024 is a key by its hash, so that a run of any length is found sooner or later.
bool is_key_by_hash(const ChunkHash& hash) {
  return hash.word(3) % 1024 == 0;
}

}  // namespace

Status ShardCheck::add_file(const format::FileRecord& file) {
  if (stop_.stop_requested()) return fail(ErrorCode::kCancelled, "registering a shard");
  File out{.hash = file.hash};
  if (auto status = check_file(file, out); !status) {
    return fail(std::move(status).error(),
                fmt::format("file {} of the shard ({})", files_.size(), file.hash.hex()));
  }
  // A client that was not given any data for "compute" writes zero: no statement.
  if (file.sha256 && !file.sha256->is_zero()) out.sha256 = file.sha256;
  encoded_bytes_ += kRecordSize * (1 + file.terms.size() + file.verification.size() + (file.sha256 ? 1 : 0));
  files_.push_back(std::move(out));
  return {};
}

Status ShardCheck::check_file(const format::FileRecord& file, File& out) {
  if (!file.has_verification || file.verification.size() != file.terms.size()) {
    return fail(ErrorCode::kCorruption, "the range hashes of its terms are missing");
  }
  hash::TreeHasher tree;
  ManifestBuilder manifest;
  for (size_t i = 0; i < file.terms.size(); ++i) {
    const auto& term = file.terms[i];
    XET_TRY(const uint32_t index, index_of(term.xorb));
    const auto& row = xorbs_[index];
    XET_TRY(const auto footer, footers_.get(row));
    if (term.chunk_begin >= term.chunk_end || term.chunk_end > footer->chunk_count()) {
      return fail(ErrorCode::kCorruption,
                  fmt::format("term {}: chunks [{}, {}) of xorb {}, which has {}", i, term.chunk_begin,
                              term.chunk_end, term.xorb.hex(), footer->chunk_count()));
    }
    XET_TRY(const uint32_t len, footer->ends.unpacked_len(term.chunk_begin, term.chunk_end));
    if (len != term.unpacked_len || len == 0) {
      return fail(ErrorCode::kCorruption,
                  fmt::format("term {}: {} bytes, but its chunks have {}", i, term.unpacked_len, len));
    }
    const auto hashes =
        std::span(footer->chunk_hashes).subspan(term.chunk_begin, term.chunk_end - term.chunk_begin);
    if (hash::range_hash(hashes) != file.verification[i]) {
      return fail(ErrorCode::kCorruption, fmt::format("term {}: its range hash is wrong", i));
    }
    for (uint32_t c = term.chunk_begin; c < term.chunk_end; ++c) tree.add(footer->chunk(c));
    XET_TRY(const auto packed, footer->ends.packed_range(term.chunk_begin, term.chunk_end));
    manifest.add(row, term.chunk_begin, term.chunk_end, packed, len);
    // The first chunk of a file is a key, so that an unchanged beginning is always found.
    if (i == 0) key_chunks_.push_back({.hash = hashes.front(), .xorb_index = index});
  }
  if (const auto hash = tree.finish_file(); hash != file.hash) {
    return fail(ErrorCode::kCorruption, fmt::format("its chunks make {}", hash.hex()));
  }
  out.size_bytes = manifest.file_size();
  out.n_terms = manifest.n_terms();
  out.manifest = manifest.finish();
  return {};
}

Status ShardCheck::add_xorb(const format::XorbRecord& xorb) {
  if (stop_.stop_requested()) return fail(ErrorCode::kCancelled, "registering a shard");
  if (auto status = check_xorb(xorb); !status) {
    return fail(std::move(status).error(),
                fmt::format("xorb record {} of the shard ({})", n_xorb_records_, xorb.hash.hex()));
  }
  encoded_bytes_ += kRecordSize * (1 + xorb.chunks.size());
  ++n_xorb_records_;
  return {};
}

Status ShardCheck::check_xorb(const format::XorbRecord& xorb) {
  XET_TRY(const uint32_t index, index_of(xorb.hash));
  XET_TRY(const auto footer, footers_.get(xorbs_[index]));
  if (xorb.chunks.size() != footer->chunk_count() || xorb.unpacked_bytes != footer->ends.unpacked_size()) {
    return fail(ErrorCode::kCorruption,
                fmt::format("{} chunks and {} bytes, but the stored xorb has {} and {}", xorb.chunks.size(),
                            xorb.unpacked_bytes, footer->chunk_count(), footer->ends.unpacked_size()));
  }
  uint32_t offset = 0;
  for (size_t i = 0; i < xorb.chunks.size(); ++i) {
    const auto& chunk = xorb.chunks[i];
    const uint32_t len = footer->ends.chunk_len(i);
    if (chunk.hash != footer->chunk_hashes[i] || chunk.len_bytes != len || chunk.unpacked_offset != offset) {
      return fail(ErrorCode::kCorruption, fmt::format("chunk {} differs from the stored one", i));
    }
    offset += len;
    if (is_key_by_hash(chunk.hash) || (chunk.flags & format::kChunkIsDedupKey) != 0) {
      key_chunks_.push_back({.hash = chunk.hash, .xorb_index = index});
    }
  }
  return {};
}

Result<uint32_t> ShardCheck::index_of(const XorbHash& xorb) {
  if (const auto known = index_of_.find(xorb); known != index_of_.end()) return known->second;
  XET_TRY(const auto lookup, meta_.find_xorb(xorb));
  if (!lookup.usable) {
    return fail(ErrorCode::kNotFound,
                fmt::format("xorb {} is not in the store; upload it first", xorb.hex()));
  }
  const auto index = static_cast<uint32_t>(xorbs_.size());
  xorbs_.push_back(*lookup.usable);
  index_of_.emplace(xorb, index);
  return index;
}

}  // namespace xet::core
