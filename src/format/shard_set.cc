#include "format/shard_set.h"

#include <algorithm>
#include <set>
#include <utility>

#include "hash/blake3.h"

namespace xet::format {
namespace {

/// Terms and their range hashes stay together: another record of the same file may cut it into other terms.
FileRecord merged(FileRecord first, const FileRecord& second) {
  if (!first.has_verification && second.has_verification) {
    first.has_verification = true;
    first.terms = second.terms;
    first.verification = second.verification;
  }
  if (!first.sha256) first.sha256 = second.sha256;
  return first;
}

bool includes_parts(const FileRecord& a, const FileRecord& b) {
  return (a.has_verification || !b.has_verification) && (a.sha256.has_value() || !b.sha256.has_value());
}

/// Of two records of one file in a union.
FileRecord chosen(const FileRecord& first, const FileRecord& second) {
  if (includes_parts(first, second)) return first;
  if (includes_parts(second, first)) return second;
  return merged(first, second);
}

Status refuse_keyed(const Shard& shard) {
  if (shard.footer && !shard.footer->key.is_zero()) {
    return fail(ErrorCode::kInvalidArgument, "a keyed shard cannot be combined or keyed again");
  }
  return {};
}

template <class Record>
using ByHash = std::map<decltype(Record::hash), const Record*>;

template <class Record>
ByHash<Record> by_hash(const std::vector<Record>& records) {
  ByHash<Record> out;
  for (const auto& record : records) out.emplace(record.hash, &record);
  return out;
}

/// What `records` has and `known` has not, sorted.
template <class Record>
std::vector<Record> without(const std::vector<Record>& records, const std::vector<Record>& known) {
  const auto excluded = by_hash(known);
  std::vector<Record> out;
  for (const auto& [hash, record] : by_hash(records)) {
    if (!excluded.contains(hash)) out.push_back(*record);
  }
  return out;
}

}  // namespace

void ShardBuilder::add(FileRecord file) {
  size_bytes_ += shard_cost(file);
  const auto [at, is_new] = files_.try_emplace(file.hash);
  at->second = is_new ? std::move(file) : merged(std::move(at->second), file);
}

void ShardBuilder::add(XorbRecord xorb) {
  size_bytes_ += shard_cost(xorb);
  const XorbHash hash = xorb.hash;
  xorbs_.insert_or_assign(hash, std::move(xorb));
}

Shard ShardBuilder::finish() {
  Shard out;
  out.files.reserve(files_.size());
  for (auto& entry : files_) out.files.push_back(std::move(entry.second));
  out.xorbs.reserve(xorbs_.size());
  for (auto& entry : xorbs_) out.xorbs.push_back(std::move(entry.second));
  *this = ShardBuilder();
  return out;
}

Result<Shard> shard_union(const Shard& first, const Shard& second) {
  XET_TRY_STATUS(refuse_keyed(first));
  XET_TRY_STATUS(refuse_keyed(second));
  Shard out;
  const auto files_2 = by_hash(second.files);
  auto files = by_hash(first.files);
  files.insert(files_2.begin(), files_2.end());
  const auto files_1 = by_hash(first.files);
  for (const auto& [hash, record] : files) {
    const auto in_1 = files_1.find(hash), in_2 = files_2.find(hash);
    const bool in_both = in_1 != files_1.end() && in_2 != files_2.end();
    out.files.push_back(in_both ? chosen(*in_1->second, *in_2->second) : *record);
  }
  auto xorbs = by_hash(first.xorbs);
  const auto xorbs_2 = by_hash(second.xorbs);
  xorbs.insert(xorbs_2.begin(), xorbs_2.end());
  for (const auto& [hash, record] : xorbs) out.xorbs.push_back(*record);
  return out;
}

Result<Shard> shard_difference(const Shard& known, const Shard& from) {
  XET_TRY_STATUS(refuse_keyed(known));
  XET_TRY_STATUS(refuse_keyed(from));
  Shard out;
  out.files = without(from.files, known.files);
  out.xorbs = without(from.xorbs, known.xorbs);
  return out;
}

namespace {
/// (xorb, chunk) at which files begin.
std::set<std::pair<XorbHash, uint32_t>> first_chunks(const Shard& shard) {
  std::set<std::pair<XorbHash, uint32_t>> out;
  for (const auto& file : shard.files) {
    if (!file.terms.empty()) out.emplace(file.terms.front().xorb, file.terms.front().chunk_begin);
  }
  return out;
}
}  // namespace

std::vector<DedupKey> dedup_keys(const Shard& shard) {
  const auto firsts = first_chunks(shard);
  std::vector<DedupKey> out;
  for (uint32_t x = 0; x < shard.xorbs.size(); ++x) {
    const auto& xorb = shard.xorbs[x];
    for (uint32_t i = 0; i < xorb.chunks.size(); ++i) {
      const auto& chunk = xorb.chunks[i];
      if ((chunk.flags & kChunkIsDedupKey) != 0 || is_dedup_key(chunk.hash) ||
          firsts.contains({xorb.hash, i})) {
        out.push_back({chunk.hash, x, i});
      }
    }
  }
  return out;
}

void flag_first_chunks(Shard& shard) {
  const auto firsts = first_chunks(shard);
  for (auto& xorb : shard.xorbs) {
    for (auto at = firsts.lower_bound({xorb.hash, 0}); at != firsts.end() && at->first == xorb.hash; ++at) {
      if (at->second < xorb.chunks.size()) xorb.chunks[at->second].flags |= kChunkIsDedupKey;
    }
  }
}

Result<ByteVector> keyed_export(const Shard& shard, const ShardFooter& footer) {
  XET_TRY_STATUS(refuse_keyed(shard));
  Shard keyed;
  keyed.xorbs = shard.xorbs;
  if (!footer.key.is_zero()) {
    for (auto& xorb : keyed.xorbs) {
      for (auto& chunk : xorb.chunks) chunk.hash = hash::keyed_chunk_hash(footer.key, chunk.hash);
    }
  }
  return keyed.to_stored_form(footer);
}

}  // namespace xet::format
