#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace xet::dedup {

/// Where a chunk was seen: a xorb by the number its owner gave it, and the chunk's index there.
struct ChunkPlace {
  uint32_t xorb = 0;
  uint32_t chunk = 0;
  friend bool operator==(const ChunkPlace&, const ChunkPlace&) = default;
};

/// Maps truncated chunk hashes (64 bits, uniform) to places, in bounded memory: two generations of at most
/// half the entries each. When the younger is full the older is dropped, so what was not seen for long is
/// forgotten first. The last entry for a hash counts. A hit must be confirmed against the full hash. Not
/// thread-safe.
class ChunkTable {
 public:
  /// About 23 bytes of memory per entry when full; memory grows with what is in.
  explicit ChunkTable(size_t max_entries);

  void put(uint64_t truncated_hash, ChunkPlace place);
  std::optional<ChunkPlace> find(uint64_t truncated_hash) const;
  size_t size() const { return young_.used + old_.used; }

 private:
  struct Entry {
    uint64_t key = 0;
    ChunkPlace place;
    static constexpr uint32_t kFree = UINT32_MAX;  // as place.xorb
  };
  /// Open addressing, linear probing, at most 3/4 full.
  struct Generation {
    std::vector<Entry> entries;  // a power of two, or empty
    size_t used = 0;

    const Entry* find(uint64_t key) const;
    void put(uint64_t key, ChunkPlace place);
    void grow();
  };

  size_t max_per_generation_;
  Generation young_;
  Generation old_;
};

}  // namespace xet::dedup
