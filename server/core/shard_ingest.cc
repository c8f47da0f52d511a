#include "server/core/shard_ingest.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "format/shard.h"
#include "format/shard_stream.h"
#include "hash/blake3.h"
#include "server/core/shard_check.h"

namespace xet::core {

namespace {

using store::ObjectKey;
using store::ShardCommit;

// Manifests up to this size lie in the row; the limit of design for a row of the database.
constexpr size_t kMaxInlineManifest = 64 * 1024;
// A client may send the lookup tables and the footer too, which the shard's limit does not count.
constexpr size_t kMaxShardBody = format::kMaxShardBytes + format::kMaxShardBytes / 2;
constexpr uint32_t kMaxAttempts = 8;
constexpr uint64_t kEntry = 48;  // bytes of any record of a shard
// What is fed to the parser at a time.
constexpr size_t kStep = 1 << 20;

Status parse(ByteSpan shard, ShardCheck& check, const ShardProgress& progress) {
  const uint64_t total = shard.size() / kEntry;
  const auto tell = [&](Status checked) {
    // The tables that some clients send are not looked at entry by entry, so it may end below the total.
    if (checked && progress.on_verified) progress.on_verified(check.encoded_bytes() / kEntry, total);
    return checked;
  };
  if (progress.on_verified) progress.on_verified(0, total);
  format::ShardStreamParser parser(
      shard.size(), [&](const format::FileRecord& file) { return tell(check.add_file(file)); },
      [&](const format::XorbRecord& xorb) { return tell(check.add_xorb(xorb)); });
  for (size_t at = 0; at < shard.size(); at += kStep) {
    XET_TRY_STATUS(parser.feed(shard.subspan(at, std::min(kStep, shard.size() - at))));
  }
  return parser.finish();
}

Result<bool> write_object(store::ObjectStore& objects, const ObjectKey& key, ByteSpan bytes) {
  XET_TRY(auto writer, objects.create());
  XET_TRY_STATUS(writer->append(std::span(&bytes, 1)));
  return writer->publish(key);
}

Result<bool> holds(store::ObjectStore& objects, const ObjectKey& key, ByteSpan expected) {
  XET_TRY(const auto object, objects.open(key));
  if (object->size_bytes() != expected.size()) return false;
  ByteVector buffer(std::min(kStep, expected.size()));
  for (size_t at = 0; at < expected.size(); at += buffer.size()) {
    buffer.resize(std::min(kStep, expected.size() - at));
    XET_TRY_STATUS(object->read_at(at, buffer));
    if (std::memcmp(buffer.data(), expected.data() + at, buffer.size()) != 0) return false;
  }
  return true;
}

/// Stores a manifest that is too long for its row; gives its generation. Under the first keys there may be
/// manifests of commits that never came to their end, with other terms: they are left alone.
Result<uint32_t> write_manifest(store::ObjectStore& objects, const FileHash& file, ByteSpan manifest) {
  for (uint32_t generation = 0; generation < kMaxAttempts; ++generation) {
    const auto key = store::manifest_key(file, generation);
    XET_TRY(const bool ours, write_object(objects, key, manifest));
    if (ours) return generation;
    XET_TRY(const bool same, holds(objects, key, manifest));
    if (same) return generation;
  }
  return fail(ErrorCode::kCorruption,
              fmt::format("file {}: the store holds {} unfinished manifests under this name", file.hex(),
                          kMaxAttempts));
}

Result<ShardCommit::File> store_manifest(const ShardContext& context, ShardCheck::File file) {
  ShardCommit::File out{
      .hash = file.hash, .size_bytes = file.size_bytes, .n_terms = file.n_terms, .sha256 = file.sha256};
  if (file.manifest.size() <= kMaxInlineManifest) {
    out.inline_manifest = std::move(file.manifest);
    return out;
  }
  XET_TRY(const auto known, context.meta.find_file(file.hash));
  if (known) {
    // The first manifest stays, so this one is only named to say which file is meant.
    out.inline_manifest = known->inline_manifest;
    out.manifest_generation = known->manifest_generation;
    return out;
  }
  XET_TRY(out.manifest_generation, write_manifest(context.objects, file.hash, file.manifest));
  return out;
}

/// Another commit may have registered a file between our look and our commit: then our manifest is of no use.
Status drop_unused_manifests(const ShardContext& context, const ShardCommit& commit,
                             const store::ShardCommitOutcome& outcome) {
  for (const size_t i : outcome.known_files) {
    const auto& file = commit.files[i];
    if (!file.inline_manifest.empty()) continue;
    XET_TRY(const auto row, context.meta.find_file(file.hash));
    const bool in_use =
        row && row->inline_manifest.empty() && row->manifest_generation == file.manifest_generation;
    if (!in_use)
      XET_TRY_STATUS(context.objects.remove(store::manifest_key(file.hash, file.manifest_generation)));
  }
  return {};
}

}  // namespace

Result<PutShardOutcome> ingest_shard(const ShardContext& context, store::RepositoryId repository,
                                     ByteSpan shard, const ShardProgress& progress,
                                     const std::stop_token& stop) {
  if (shard.size() > kMaxShardBody) {
    return fail(ErrorCode::kRefused,
                fmt::format("a shard of {} bytes; at most {} are taken", shard.size(), kMaxShardBody));
  }
  auto shard_hash = hash::shard_hash(shard);
  // Whoever sends the very bytes that were found right before need not be checked again.
  XET_TRY(const bool is_known, context.meta.touch_shard(repository, shard_hash));
  if (is_known) {
    const uint64_t total = shard.size() / kEntry;
    if (progress.on_verified) progress.on_verified(total, total);
    return PutShardOutcome{.is_new = false, .stored_as = shard_hash};
  }
  ShardCheck check(context.meta, context.footers, stop);
  XET_TRY_STATUS(parse(shard, check, progress));

  // What is stored is the upload form, whose bytes depend on the content only. Nearly all clients send just
  // that; the others send a footer too, and are read once more.
  ByteVector rewritten;
  if (check.encoded_bytes() != shard.size()) {
    XET_TRY(const auto parsed, format::Shard::parse(shard));
    rewritten = parsed.to_upload_form();
    if (check.encoded_bytes() != rewritten.size()) {
      return fail(ErrorCode::kCorruption, "the shard describes a file twice");
    }
    shard = rewritten;
    shard_hash = hash::shard_hash(shard);
  }

  if (progress.on_stage) progress.on_stage(ShardStage::kUploading);
  ShardCommit commit{
      .repository = repository,
      .shard = shard_hash,
      .object_bytes = shard.size(),
      .xorbs = std::move(check.xorbs()),
      .key_chunks = std::move(check.key_chunks()),
  };
  for (auto& file : check.files()) {
    if (stop.stop_requested()) return fail(ErrorCode::kCancelled, "registering a shard");
    XET_TRY(commit.files.emplace_back(), store_manifest(context, std::move(file)));
  }
  // False means that it is there: the name is the hash of the bytes.
  XET_TRY([[maybe_unused]] const bool is_new,
          write_object(context.objects, store::shard_key(commit.shard), shard));
  if (stop.stop_requested()) return fail(ErrorCode::kCancelled, "registering a shard");
  if (progress.on_stage) progress.on_stage(ShardStage::kSyncing);
  XET_TRY(const auto outcome, context.meta.commit_shard(commit));
  XET_TRY_STATUS(drop_unused_manifests(context, commit, outcome));
  return PutShardOutcome{.is_new = true, .stored_as = commit.shard};
}

}  // namespace xet::core
