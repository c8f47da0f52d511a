#include "server/core/fsck.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "format/shard.h"
#include "hash/blake3.h"
#include "hash/tree.h"
#include "server/core/manifest.h"
#include "server/core/open_xorb.h"
#include "server/core/xorb_check.h"

namespace xet::core {

namespace {

using Kind = FsckFinding::Kind;

// Rows fetched at a time: no read transaction is held while their objects are looked at.
constexpr uint32_t kRowsPerPage = 256;
constexpr uint32_t kFilesPerPage = 32;  // each may have a manifest of 64 KiB in its row
constexpr size_t kReadStep = 1 << 20;

/// One walk over a store.
class Fsck {
 public:
  Fsck(store::ObjectStore& objects, store::MetaStore& meta, FooterCache& footers, const FsckOptions& options,
       std::chrono::system_clock::time_point started,
       const std::function<void(const FsckFinding&)>& on_finding, const std::stop_token& stop)
      : objects_(objects),
        meta_(meta),
        footers_(footers),
        options_(options),
        started_(started),
        on_finding_(on_finding),
        stop_(stop) {}

  Result<FsckSummary> run() {
    XET_TRY_STATUS(check_database());
    XET_TRY_STATUS(check_xorbs());
    XET_TRY_STATUS(check_shards());
    XET_TRY_STATUS(check_files());
    XET_TRY_STATUS(find_orphans());
    return out_;
  }

 private:
  Status check_not_stopped() const {
    if (stop_.stop_requested()) return fail(ErrorCode::kCancelled, "checking the store");
    return {};
  }

  void found(Kind kind, std::string object, std::string message) {
    if (kind != Kind::kOrphan) ++out_.damages;
    if (on_finding_) {
      on_finding_({.kind = kind, .object = std::move(object), .message = std::move(message)});
    }
  }

  Status check_database() {
    const auto lines = meta_.find_inconsistencies(options_.deep);
    if (lines) {
      for (const auto& line : *lines) found(Kind::kDatabase, "meta.sqlite", line);
      return {};
    }
    if (lines.error().code != ErrorCode::kCorruption) return tl::unexpected(lines.error());
    found(Kind::kDatabase, "meta.sqlite", lines.error().message);
    return {};
  }

  // --- xorbs ---

  Status check_xorbs() {
    for (uint64_t after = 0;;) {
      XET_TRY(const auto rows, meta_.xorbs_after(after, kRowsPerPage));
      if (rows.empty()) return {};
      for (const auto& row : rows) {
        XET_TRY_STATUS(check_not_stopped());
        XET_TRY_STATUS(check_xorb(row));
        after = row.id;
      }
    }
  }

  Status check_xorb(const store::XorbRow& row) {
    ++out_.xorbs;
    const auto problem = [&](Kind kind, std::string message) -> Status {
      // Deleted since its row was read: then nothing is wrong with it.
      XET_TRY(const auto now, meta_.find_xorb(row.hash));
      if (now.usable && now.usable->id == row.id) {
        found(kind, fmt::format("xorb {}", row.hash.hex()), std::move(message));
      }
      return {};
    };
    const auto key = store::xorb_key(row.hash, row.generation);
    const auto object = objects_.open(key);
    if (!object && object.error().code == ErrorCode::kNotFound) {
      return problem(Kind::kXorbMissing, fmt::format("its object {} is missing", key.path));
    }
    if (!object) return tl::unexpected(object.error());
    if ((*object)->size_bytes() != row.object_bytes) {
      return problem(Kind::kXorbLength, fmt::format("its object {} has {} bytes, {} were stored", key.path,
                                                    (*object)->size_bytes(), row.object_bytes));
    }
    Status outcome;
    if (options_.deep) {
      out_.bytes_read += row.object_bytes;
      const auto footer = verify_xorb_object(**object, row.hash, stop_);
      if (!footer) {
        outcome = tl::unexpected(footer.error());
      } else if (auto expected = xorb_row(*footer, row.generation); !same_content(expected, row)) {
        outcome = fail(ErrorCode::kCorruption, "its row describes something else than its object");
      }
    } else if (const auto footer = footers_.get(row); footer) {
      out_.bytes_read += row.tail_bytes;
    } else {
      outcome = tl::unexpected(footer.error());
    }
    if (outcome) return {};
    if (outcome.error().code != ErrorCode::kCorruption && outcome.error().code != ErrorCode::kIo)
      return outcome;
    return problem(Kind::kXorbDamaged, std::move(outcome).error().message);
  }

  static bool same_content(const store::XorbRow& a, const store::XorbRow& b) {
    return a.tail_bytes == b.tail_bytes && a.n_chunks == b.n_chunks && a.unpacked_bytes == b.unpacked_bytes;
  }

  // --- shards ---

  Status check_shards() {
    for (uint64_t after = 0;;) {
      XET_TRY(const auto rows, meta_.shards_after(after, kRowsPerPage));
      if (rows.empty()) return {};
      for (const auto& row : rows) {
        XET_TRY_STATUS(check_not_stopped());
        XET_TRY_STATUS(check_shard(row));
        after = row.id;
      }
    }
  }

  Status check_shard(const store::ShardRow& row) {
    ++out_.shards;
    const auto problem = [&](Kind kind, std::string message) -> Status {
      found(kind, fmt::format("shard {}", row.hash.hex()), std::move(message));
      return {};
    };
    const auto key = store::shard_key(row.hash);
    const auto object = objects_.open(key);
    if (!object && object.error().code == ErrorCode::kNotFound) {
      return problem(Kind::kShardMissing, fmt::format("its object {} is missing", key.path));
    }
    if (!object) return tl::unexpected(object.error());
    if ((*object)->size_bytes() != row.object_bytes) {
      return problem(Kind::kShardLength, fmt::format("its object {} has {} bytes, {} were stored", key.path,
                                                     (*object)->size_bytes(), row.object_bytes));
    }
    if (!options_.deep) return {};
    hash::ShardHasher hasher;
    ByteVector buffer(static_cast<size_t>(std::min<uint64_t>(kReadStep, row.object_bytes)));
    for (uint64_t at = 0; at < row.object_bytes; at += buffer.size()) {
      XET_TRY_STATUS(check_not_stopped());
      buffer.resize(static_cast<size_t>(std::min<uint64_t>(kReadStep, row.object_bytes - at)));
      if (auto read = (*object)->read_at(at, buffer); !read) {
        return problem(Kind::kShardDamaged, std::move(read).error().message);
      }
      hasher.add(buffer);
    }
    out_.bytes_read += row.object_bytes;
    if (const auto hash = hasher.finish(); hash != row.hash) {
      return problem(Kind::kShardDamaged, fmt::format("its bytes have the hash {}", hash.hex()));
    }
    return {};
  }

  // --- files ---

  Status check_files() {
    for (uint64_t after = 0;;) {
      XET_TRY(auto rows, meta_.files_after(after, kFilesPerPage));
      if (rows.empty()) return {};
      for (auto& each : rows) {
        XET_TRY_STATUS(check_not_stopped());
        XET_TRY_STATUS(check_file(std::move(each.row)));
        after = each.number;
      }
    }
  }

  Status check_file(store::FileRow row) {
    ++out_.files;
    const FileHash name = row.hash;
    const uint64_t size = row.size_bytes;
    const auto problem = [&](Kind kind, std::string message) -> Status {
      found(kind, fmt::format("file {}", name.hex()), std::move(message));
      return {};
    };
    const auto manifest = open_manifest(objects_, std::move(row));
    if (!manifest && manifest.error().code == ErrorCode::kNotFound) {
      return problem(Kind::kManifestMissing, manifest.error().message);
    }
    if (!manifest) return problem(Kind::kManifestDamaged, manifest.error().message);
    auto terms = terms_of(*manifest, size);
    if (!terms) return problem(Kind::kManifestDamaged, std::move(terms).error().message);

    std::vector<XorbHash> hashes;
    for (uint32_t i = 0; i < manifest->n_xorbs(); ++i) {
      const auto xorb = manifest->xorb(i);
      if (!xorb) return problem(Kind::kManifestDamaged, xorb.error().message);
      hashes.push_back(xorb->hash);
    }
    XET_TRY(const auto rows, meta_.find_usable_xorbs(hashes));
    for (size_t i = 0; i < rows.size(); ++i) {
      if (rows[i]) continue;
      return problem(Kind::kFileXorbLost,
                     fmt::format("xorb {}, which it refers to, is lost", hashes[i].hex()));
    }
    if (!options_.deep) return {};
    return check_content(name, *terms, rows, problem);
  }

  static Result<std::vector<ManifestTerm>> terms_of(const Manifest& manifest, uint64_t size) {
    if (size == 0) {
      if (manifest.n_terms() != 0) return fail(ErrorCode::kCorruption, "an empty file with terms");
      return std::vector<ManifestTerm>{};
    }
    XET_TRY(auto terms, manifest.terms_covering(0, size));
    if (terms.size() != manifest.n_terms() || terms.front().file_begin != 0) {
      return fail(ErrorCode::kCorruption, "the terms of its manifest do not cover it");
    }
    return terms;
  }

  /// Computes the hash of the file from the footers of its xorbs, which the walk over xorbs has compared with
  /// their chunks.
  template <class Problem>
  Status check_content(const FileHash& name, const std::vector<ManifestTerm>& terms,
                       const std::vector<std::optional<store::XorbRow>>& xorbs, const Problem& problem) {
    hash::TreeHasher tree;
    for (size_t i = 0; i < terms.size(); ++i) {
      const auto& term = terms[i];
      const auto footer = footers_.get(*xorbs[term.xorb]);
      if (!footer) return {};  // told already, of the xorb
      const auto len = (*footer)->ends.unpacked_len(term.chunk_begin, term.chunk_end);
      if (!len || *len != term.unpacked_len) {
        return problem(Kind::kManifestDamaged,
                       fmt::format("term {} of its manifest says something else than xorb {}", i,
                                   (*footer)->hash.hex()));
      }
      for (uint32_t c = term.chunk_begin; c < term.chunk_end; ++c) tree.add((*footer)->chunk(c));
    }
    if (const auto hash = tree.finish_file(); hash != name) {
      return problem(Kind::kFileHash, fmt::format("its chunks make {}", hash.hex()));
    }
    return {};
  }

  // --- objects without rows ---

  Status find_orphans() {
    for (const std::string_view kind : {"x", "s", "m"}) {
      XET_TRY_STATUS(objects_.list(kind, [&](const store::ObjectInfo& info) { return check_object(info); }));
    }
    return {};
  }

  Status check_object(const store::ObjectInfo& info) {
    XET_TRY_STATUS(check_not_stopped());
    ++out_.objects;
    // Its row comes after it: so only one that has been there for a while can be said to have none.
    if (info.stored_at + options_.orphan_age > started_) return {};
    XET_TRY(const bool is_named, has_row(info.key));
    if (is_named) return {};
    ++out_.orphans;
    out_.orphan_bytes += info.size_bytes;
    found(Kind::kOrphan, info.key.path, fmt::format("{} bytes that no row names", info.size_bytes));
    return {};
  }

  Result<bool> has_row(const store::ObjectKey& key) {
    if (const auto xorb = store::parse_xorb_key(key)) {
      XET_TRY(const auto row, meta_.find_xorb(xorb->hash));
      return row.usable && row.usable->generation == xorb->generation;
    }
    if (const auto shard = store::parse_shard_key(key)) return meta_.shard_exists(*shard);
    if (const auto manifest = store::parse_manifest_key(key)) {
      XET_TRY(const auto row, meta_.find_file(manifest->hash));
      return row && row->inline_manifest.empty() && row->manifest_generation == manifest->generation;
    }
    return false;
  }

  store::ObjectStore& objects_;
  store::MetaStore& meta_;
  FooterCache& footers_;
  const FsckOptions options_;
  const std::chrono::system_clock::time_point started_;
  const std::function<void(const FsckFinding&)>& on_finding_;
  const std::stop_token& stop_;
  FsckSummary out_;
};

}  // namespace

std::string_view to_string(FsckFinding::Kind kind) {
  switch (kind) {
    case Kind::kDatabase:
      return "database";
    case Kind::kXorbMissing:
      return "xorb_missing";
    case Kind::kXorbLength:
      return "xorb_length";
    case Kind::kXorbDamaged:
      return "xorb_damaged";
    case Kind::kShardMissing:
      return "shard_missing";
    case Kind::kShardLength:
      return "shard_length";
    case Kind::kShardDamaged:
      return "shard_damaged";
    case Kind::kManifestMissing:
      return "manifest_missing";
    case Kind::kManifestDamaged:
      return "manifest_damaged";
    case Kind::kFileXorbLost:
      return "file_xorb_lost";
    case Kind::kFileHash:
      return "file_hash";
    case Kind::kOrphan:
      return "orphan";
  }
  return "unknown";
}

Result<FsckSummary> fsck(store::ObjectStore& objects, store::MetaStore& meta, FooterCache& footers,
                         const Clock& clock, const FsckOptions& options,
                         const std::function<void(const FsckFinding&)>& on_finding,
                         const std::stop_token& stop) {
  return Fsck(objects, meta, footers, options, clock.wall_now(), on_finding, stop).run();
}

}  // namespace xet::core
