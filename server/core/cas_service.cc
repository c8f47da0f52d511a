#include "server/core/cas_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "server/core/dedup_answer.h"
#include "server/core/manifest.h"
#include "server/core/open_xorb.h"
#include "server/core/shard_ingest.h"
#include "server/core/xorb_ingest.h"

namespace xet::core {

CasService::CasService(std::unique_ptr<store::ObjectStore> objects, std::unique_ptr<store::MetaStore> meta,
                       Options options)
    : options_(options),
      objects_(std::move(objects)),
      meta_(std::move(meta)),
      footers_(*objects_, options_.footer_cache_bytes) {}

Result<store::FileRow> CasService::find_readable(const Principal& who, const FileHash& file) {
  bool may_read = who.reads_every_file;
  if (!may_read) {
    XET_TRY(may_read, meta_->may_read(who.repository, file));
  }
  if (may_read) {
    XET_TRY(auto row, meta_->find_file(file));
    if (row) return *std::move(row);
  }
  return fail(ErrorCode::kNotFound, fmt::format("file {} is not in the store", file.hex()));
}

Result<uint64_t> CasService::file_size(const Principal& who, const FileHash& file) {
  if (file.is_zero()) return 0;
  XET_TRY(const auto row, find_readable(who, file));
  return row.size_bytes;
}

Result<Reconstruction> CasService::reconstruct(const Principal& who, const FileHash& file,
                                               std::optional<FileRange> range, ChunkHashes chunk_hashes) {
  if (file.is_zero()) return Reconstruction{};
  auto row = find_readable(who, file);
  if (!row) return tl::unexpected(std::move(row).error());
  FileRange wanted = range.value_or(FileRange{.begin = 0, .end = row->size_bytes});
  wanted.end = std::min(wanted.end, row->size_bytes);
  if (wanted.begin >= wanted.end) return Reconstruction{};

  auto out = plan(*std::move(row), wanted, chunk_hashes);
  if (out) return out;
  // Whatever is missing behind a registered file is damage, not the caller's mistake.
  Error error = std::move(out).error();
  if (error.code == ErrorCode::kNotFound || error.code == ErrorCode::kInvalidArgument) {
    error.code = ErrorCode::kCorruption;
  }
  return fail(error, fmt::format("file {}", file.hex()));
}

Result<Reconstruction> CasService::plan(store::FileRow row, FileRange range, ChunkHashes chunk_hashes) {
  std::unique_ptr<store::ObjectReader> object;
  if (row.inline_manifest.empty()) {
    XET_TRY(object, objects_->open(store::manifest_key(row.hash, row.manifest_generation)));
  }
  XET_TRY(const auto manifest,
          object ? Manifest::open(std::move(object)) : Manifest::open(std::move(row.inline_manifest)));
  if (manifest.file_size() != row.size_bytes) {
    return fail(ErrorCode::kCorruption, fmt::format("its manifest is for {} bytes, its row for {}",
                                                    manifest.file_size(), row.size_bytes));
  }
  return core::reconstruct(*meta_, footers_, manifest, range, chunk_hashes);
}

Result<CasService::OpenXorb> CasService::open_xorb(const XorbHash& xorb) {
  XET_TRY(const auto lookup, meta_->find_xorb(xorb));
  if (!lookup.usable)
    return fail(ErrorCode::kNotFound, fmt::format("xorb {} is not in the store", xorb.hex()));
  OpenXorb out{.row = *lookup.usable, .object = nullptr};
  XET_TRY(out.object, core::open_xorb(*objects_, out.row));
  return out;
}

Result<bool> CasService::xorb_exists(const XorbHash& xorb) {
  XET_TRY(const auto lookup, meta_->find_xorb(xorb));
  return lookup.usable.has_value();
}

Result<bool> CasService::put_xorb(const Principal& who, const XorbHash& name, std::span<const ByteSpan> body,
                                  const std::stop_token& stop) {
  return ingest_xorb({.objects = *objects_, .meta = *meta_}, who.repository, name, body, stop);
}

Status CasService::put_shard(const Principal& who, ByteSpan shard, const std::stop_token& stop) {
  return ingest_shard({.objects = *objects_, .meta = *meta_, .footers = footers_}, who.repository, shard,
                      stop);
}

Result<std::optional<ByteVector>> CasService::query_dedup(const Principal& who, const ChunkHash& chunk) {
  return dedup_answer(*meta_, footers_, who.repository, chunk, *options_.clock);
}

}  // namespace xet::core
