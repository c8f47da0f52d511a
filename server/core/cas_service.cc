#include "server/core/cas_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "base/clock.h"
#include "server/core/manifest.h"
#include "server/core/open_xorb.h"
#include "server/core/repository_name.h"

namespace xet::core {

namespace {

/// Whatever is missing behind a registered file is damage, not the caller's mistake.
tl::unexpected<Error> behind_file(Error error, const FileHash& file) {
  if (error.code == ErrorCode::kNotFound || error.code == ErrorCode::kInvalidArgument) {
    error.code = ErrorCode::kCorruption;
  }
  return fail(error, fmt::format("file {}", file.hex()));
}

tl::unexpected<Error> no_xorb(const XorbHash& xorb) {
  return fail(ErrorCode::kNotFound, fmt::format("xorb {} is not in the store", xorb.hex()));
}

}  // namespace

CasService::CasService(std::unique_ptr<store::ObjectStore> objects, std::unique_ptr<store::MetaStore> meta,
                       Options options)
    : options_(std::move(options)),
      objects_(std::move(objects)),
      meta_(std::move(meta)),
      footers_(*objects_, options_.footer_cache_bytes) {}

Result<store::RepositoryId> CasService::repository(std::string_view name, bool create) {
  XET_TRY(const auto parts, parse_repository_name(name));
  XET_TRY(const auto known, meta_->find_repository(parts));
  if (known) return *known;
  if (create) return meta_->ensure_repository(parts);
  return fail(ErrorCode::kNotFound, fmt::format("the store has no repository {}", name));
}

Result<store::FileRow> CasService::find_readable(const Principal& who, const FileHash& file) {
  XET_TRY(auto row,
          who.reads_every_file ? meta_->find_file(file) : meta_->find_file_of(who.repository, file));
  if (row) return *std::move(row);
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

  const auto manifest = open_manifest(*objects_, *std::move(row));
  if (!manifest) return behind_file(manifest.error(), file);
  auto out = core::reconstruct(*meta_, footers_, *manifest, wanted, chunk_hashes);
  if (!out) return behind_file(std::move(out).error(), file);
  return out;
}

Result<BatchReconstruction> CasService::reconstruct_batch(const Principal& who,
                                                          std::span<const FileHash> files) {
  if (files.size() > kMaxBatch) {
    return fail(ErrorCode::kRefused,
                fmt::format("{} files at once; at most {} are answered", files.size(), kMaxBatch));
  }
  BatchReconstruction out;
  ReconstructionMerger merger;
  std::unordered_set<FileHash> seen;
  for (const auto& file : files) {
    if (!seen.insert(file).second) continue;
    auto one = reconstruct(who, file, std::nullopt, ChunkHashes::kNo);
    if (!one) {
      if (one.error().code == ErrorCode::kNotFound) continue;
      return tl::unexpected(std::move(one).error());
    }
    out.files.push_back({.hash = file, .terms = merger.add(*std::move(one))});
  }
  out.xorbs = merger.finish();
  return out;
}

Result<CasService::OpenXorb> CasService::open_xorb(const XorbHash& xorb) {
  XET_TRY(const auto lookup, meta_->find_xorb(xorb));
  if (!lookup.usable) return no_xorb(xorb);
  OpenXorb out{.row = *lookup.usable, .object = nullptr};
  XET_TRY(out.object, core::open_xorb(*objects_, out.row));
  return out;
}

Result<CasService::OpenXorb> CasService::open_xorb(const XorbHash& xorb, uint32_t generation) {
  XET_TRY(const auto lookup, meta_->find_xorb(xorb));
  if (!lookup.usable || lookup.usable->generation != generation) return no_xorb(xorb);
  OpenXorb out{.row = *lookup.usable, .object = nullptr};
  XET_TRY(out.object, core::open_xorb(*objects_, out.row));
  return out;
}

Result<bool> CasService::xorb_exists(const XorbHash& xorb) {
  XET_TRY(const auto lookup, meta_->find_xorb(xorb));
  return lookup.usable.has_value();
}

Result<std::unique_ptr<XorbUpload>> CasService::begin_xorb(const Principal& who, const XorbHash& name,
                                                           std::stop_token stop) {
  return XorbUpload::begin({.objects = *objects_, .meta = *meta_}, who.repository, name, std::move(stop));
}

Result<bool> CasService::put_xorb(const Principal& who, const XorbHash& name, std::span<const ByteSpan> body,
                                  const std::stop_token& stop) {
  XET_TRY(const auto upload, begin_xorb(who, name, stop));
  for (const auto& piece : body) XET_TRY_STATUS(upload->feed(piece));
  return upload->finish();
}

Result<PutShardOutcome> CasService::put_shard(const Principal& who, ByteSpan shard,
                                              const ShardProgress& progress, const std::stop_token& stop) {
  return ingest_shard({.objects = *objects_, .meta = *meta_, .footers = footers_}, who.repository, shard,
                      progress, stop);
}

Result<std::optional<ByteVector>> CasService::query_dedup(const Principal& who, const ChunkHash& chunk) {
  const uint64_t now_s = unix_seconds(options_.clock->wall_now());
  std::optional<HmacKey> key;
  if (!who.reads_every_file) {
    XET_TRY(key, dedup_keys_.key(*meta_, who.repository, now_s));
  }
  return dedup_answer(*meta_, footers_, who.repository, chunk, key, now_s);
}

bool CasService::healthy() const {
  return !options_.health || options_.health->is_writable();
}

Result<StoreStats> CasService::stats() {
  XET_TRY(const auto totals, meta_->totals());
  return StoreStats{.xorbs = totals.xorbs,
                    .shards = totals.shards,
                    .files = totals.files,
                    .repositories = totals.repositories,
                    .logical_bytes = totals.logical_bytes,
                    .unpacked_bytes = totals.unpacked_bytes,
                    .stored_bytes = totals.object_bytes,
                    .free_bytes = objects_->free_bytes()};
}

Result<FsckSummary> CasService::fsck(const FsckOptions& options,
                                     const std::function<void(const FsckFinding&)>& on_finding,
                                     const std::stop_token& stop) {
  return core::fsck(*objects_, *meta_, footers_, *options_.clock, options, on_finding, stop);
}

}  // namespace xet::core
