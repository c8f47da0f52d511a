#include "session/file_assembly.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.h"

namespace xet::session {

void FileAssembly::add(const hash::ChunkInfo& chunk, dedup::ChunkPlace place) {
  tree_.add(chunk);
  if (refer(chunk, place)) {
    fragmentation.segment_added(1);
  } else {
    fragmentation.last_segment_extended(1);
  }
}

bool FileAssembly::refer(const hash::ChunkInfo& chunk, dedup::ChunkPlace place) {
  const auto next = continuation();
  const bool extends = next && *next == place &&
                       terms_.back().unpacked_len <= std::numeric_limits<uint32_t>::max() - chunk.len_bytes;
  if (extends) {
    ++terms_.back().end;
    terms_.back().unpacked_len += chunk.len_bytes;
  } else {
    close_term();
    terms_.push_back({place.xorb, place.chunk, place.chunk + 1, chunk.len_bytes, {}});
    last_is_open_ = true;
  }
  range_hasher_.add(chunk.hash);
  return !extends;
}

std::optional<dedup::ChunkPlace> FileAssembly::continuation() const {
  if (!last_is_open_) return std::nullopt;
  return dedup::ChunkPlace{terms_.back().xorb, terms_.back().end};
}

void FileAssembly::close_term() {
  if (last_is_open_) terms_.back().range_hash = range_hasher_.finish();
  last_is_open_ = false;
}

bool FileAssembly::refers_to(uint32_t xorb) const {
  return std::any_of(terms_.begin(), terms_.end(), [&](const Term& term) { return term.xorb == xorb; });
}

void FileAssembly::relocate(uint32_t xorb, std::span<const dedup::ChunkPlace> new_place,
                            std::span<const hash::ChunkInfo> chunks) {
  if (!refers_to(xorb)) return;
  const std::vector<Term> before = std::exchange(terms_, {});
  hash::RangeHasher last_hasher = std::exchange(range_hasher_, hash::RangeHasher());
  const bool last_was_open = std::exchange(last_is_open_, false);

  for (const auto& term : before) {
    if (term.xorb == xorb) {
      for (uint32_t i = term.begin; i < term.end; ++i) refer(chunks[i], new_place[i]);
    } else {
      // Copied whole: its chunk hashes are gone, so it does not join the relocated ones even where it could.
      close_term();
      terms_.push_back(term);
    }
  }
  if (last_was_open && before.back().xorb != xorb) {
    range_hasher_ = std::move(last_hasher);
    last_is_open_ = true;
  }
}

FileHash FileAssembly::seal() {
  return hash_ = tree_.finish_file();
}

format::FileRecord FileAssembly::finish(const dedup::KnownXorbs& known) {
  close_term();
  format::FileRecord record;
  record.hash = hash_;
  for (const auto& term : terms_) {
    const auto& xorb = known.hash(term.xorb);
    XET_CHECK(!xorb.is_zero());
    record.terms.push_back({xorb, term.unpacked_len, term.begin, term.end});
    record.verification.push_back(term.range_hash);
  }
  XET_CHECK(record.size_bytes() == tree_.size());
  return record;
}

}  // namespace xet::session
