// Buckets: files by path, without history.

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/try.h"
#include "server/hub/hub.h"
#include "server/hub/names.h"

namespace xet::hub {

namespace {

using store::BucketEntry;
using store::HubRepository;

BucketItem file_item(BucketEntry entry) {
  BucketItem out{.path = entry.path, .is_folder = false, .file = std::move(entry)};
  return out;
}

/// The path of the folder right below `prefix` that holds `path`; nullopt when it is not deeper.
std::optional<std::string> folder_below(std::string_view prefix, std::string_view path) {
  const size_t slash = path.find('/', prefix.size());
  if (slash == std::string_view::npos) return std::nullopt;
  return std::string(path.substr(0, slash));
}

/// Lets the bucket have what is copied into it, as far as the sources have it: those pairs.
Result<std::set<std::pair<store::RepositoryId, FileHash>>> share_sources(
    store::HubStore& hub_store, store::RepositoryId bucket, std::span<const BucketOperation> operations) {
  std::map<store::RepositoryId, std::vector<FileHash>> wanted;
  for (const auto& operation : operations) {
    if (operation.kind == BucketOperation::Kind::kCopy && operation.source)
      wanted[operation.source->id].push_back(operation.file);
  }
  std::set<std::pair<store::RepositoryId, FileHash>> out;
  for (const auto& [source, files] : wanted) {
    XET_TRY(const auto has, hub_store.share_receipts(source, bucket, files));
    for (size_t i = 0; i < files.size(); ++i) {
      if (has[i]) out.emplace(source, files[i]);
    }
  }
  return out;
}

}  // namespace

Outcome<store::BucketTotals> Hub::totals(const HubRepository& bucket) {
  XET_TRY(const auto out, store_.bucket_totals(bucket.id));
  return out;
}

Outcome<Page<BucketItem>> Hub::list_bucket(const HubRepository& bucket, std::string_view prefix,
                                           const ListOptions& options) {
  if (prefix.ends_with('/')) prefix.remove_suffix(1);
  Page<BucketItem> out;
  if (!prefix.empty()) {
    XET_TRY_STATUS(check_path(prefix));
    XET_TRY(auto entry, store_.bucket_entry(bucket.id, prefix));
    if (entry) {
      out.items.push_back(file_item(*std::move(entry)));
      return out;
    }
  }
  const std::string folder = prefix.empty() ? std::string() : std::string(prefix) + "/";
  std::string after = options.after;
  while (true) {
    const size_t room = options.limit - out.items.size();
    // One more, to know whether there are more.
    XET_TRY(auto entries, store_.bucket_entries(bucket.id, folder, after,
                                                static_cast<uint32_t>(std::min<size_t>(room, 1000)) + 1));
    if (entries.empty()) return out;
    for (auto& entry : entries) {
      if (out.items.size() == options.limit) {
        const auto& last = out.items.back();
        out.next = last.is_folder ? last.path + "/\xff" : last.path;
        return out;
      }
      const auto deeper = options.recursive ? std::nullopt : folder_below(folder, entry.path);
      if (!deeper) {
        after = entry.path;
        out.items.push_back(file_item(std::move(entry)));
        continue;
      }
      out.items.push_back({.path = *deeper, .is_folder = true, .file = {}, .uploaded = entry.uploaded});
      // Behind everything in the folder: no path has this byte.
      after = *deeper + "/\xff";
      break;
    }
  }
}

Outcome<std::vector<BucketEntry>> Hub::bucket_files(const HubRepository& bucket,
                                                    std::span<const std::string> paths) {
  if (paths.size() > kMaxPaths)
    return refuse(Reason::kTooLarge, "more than 1000 paths are asked for at once");
  std::vector<BucketEntry> out;
  for (const auto& path : paths) {
    XET_TRY_STATUS(check_path(path));
    XET_TRY(auto entry, store_.bucket_entry(bucket.id, path));
    if (entry) out.push_back(*std::move(entry));
  }
  return out;
}

Outcome<BucketEntry> Hub::bucket_file(const HubRepository& bucket, std::string_view path) {
  XET_TRY_STATUS(check_path(path));
  XET_TRY(auto entry, store_.bucket_entry(bucket.id, path));
  if (!entry) return refuse(Reason::kNoEntry, fmt::format("{} does not exist in this bucket", path));
  return *std::move(entry);
}

Outcome<std::vector<BucketFailure>> Hub::batch(const HubRepository& bucket,
                                               std::span<const BucketOperation> operations) {
  if (operations.size() > kMaxBatch) return refuse(Reason::kTooLarge, "a batch of more than 1000 lines");
  for (const auto& operation : operations) XET_TRY_STATUS(check_path(operation.path));
  XET_TRY(const auto copied, share_sources(store_, bucket.id, operations));
  std::vector<BucketFailure> failures;
  std::vector<store::BucketChange> changes;
  const auto fails = [&](const BucketOperation& operation, std::string why) {
    failures.push_back({.path = operation.path, .error = std::move(why)});
  };
  for (const auto& operation : operations) {
    if (operation.kind == BucketOperation::Kind::kDelete) {
      XET_TRY(const auto entry, store_.bucket_entry(bucket.id, operation.path));
      const bool added_here = std::ranges::any_of(
          changes, [&](const auto& change) { return change.path == operation.path && change.put; });
      if (!entry && !added_here) {
        fails(operation, "there is no file of this path");
      } else {
        changes.push_back({.path = operation.path, .put = std::nullopt});
      }
      continue;
    }
    if (operation.kind == BucketOperation::Kind::kCopy) {
      if (!operation.source) {
        fails(operation, "the source is not there, or not to be read with this token");
        continue;
      }
      if (!copied.contains({operation.source->id, operation.file})) {
        fails(operation, "the source has no file of this hash");
        continue;
      }
    }
    std::optional<uint64_t> size = 0;  // the empty file needs no upload
    if (!operation.file.is_zero()) {
      XET_TRY(size, store_.receipt(bucket.id, operation.file));
    }
    if (!size) {
      fails(operation, "no file of this hash was uploaded to this bucket");
      continue;
    }
    const auto now = now_ms();
    changes.push_back({.path = operation.path,
                       .put = BucketEntry{.path = operation.path,
                                          .file = operation.file,
                                          .size_bytes = *size,
                                          .modified = operation.modified.value_or(now),
                                          .uploaded = now,
                                          .content_type = operation.content_type}});
  }
  if (!changes.empty()) XET_TRY_STATUS(store_.change_bucket(bucket.id, changes));
  return failures;
}

}  // namespace xet::hub
