#include "dedup/chunk_table.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace xet::dedup {

namespace {
constexpr size_t kFirstCapacity = 1024;
}

ChunkTable::ChunkTable(size_t max_entries) : max_per_generation_(std::max<size_t>(max_entries / 2, 1)) {}

void ChunkTable::put(uint64_t truncated_hash, ChunkPlace place) {
  XET_CHECK(place.xorb != Entry::kFree);
  if (young_.used >= max_per_generation_) {
    old_ = std::move(young_);
    young_ = Generation();
  }
  young_.put(truncated_hash, place);
}

std::optional<ChunkPlace> ChunkTable::find(uint64_t truncated_hash) const {
  for (const auto* generation : {&young_, &old_}) {
    if (const Entry* entry = generation->find(truncated_hash)) return entry->place;
  }
  return std::nullopt;
}

const ChunkTable::Entry* ChunkTable::Generation::find(uint64_t key) const {
  if (entries.empty()) return nullptr;
  const size_t mask = entries.size() - 1;
  for (size_t at = key & mask; entries[at].place.xorb != Entry::kFree; at = (at + 1) & mask) {
    if (entries[at].key == key) return &entries[at];
  }
  return nullptr;
}

void ChunkTable::Generation::put(uint64_t key, ChunkPlace place) {
  if (used * 4 >= entries.size() * 3) grow();
  const size_t mask = entries.size() - 1;
  size_t at = key & mask;
  while (entries[at].place.xorb != Entry::kFree && entries[at].key != key) at = (at + 1) & mask;
  if (entries[at].place.xorb == Entry::kFree) ++used;
  entries[at] = {key, place};
}

void ChunkTable::Generation::grow() {
  const size_t capacity = std::max(kFirstCapacity, entries.size() * 2);
  std::vector<Entry> before(capacity, Entry{0, {Entry::kFree, 0}});
  before.swap(entries);
  used = 0;
  for (const auto& entry : before) {
    if (entry.place.xorb != Entry::kFree) put(entry.key, entry.place);
  }
}

}  // namespace xet::dedup
