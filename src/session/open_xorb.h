#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "exec/memory.h"
#include "format/xorb.h"
#include "hash/tree.h"
#include "xet/hash.h"

namespace xet::session {

/// A xorb in the making. Chunks get their place in one buffer when they are assigned, each with room for the
/// case that it does not compress, so that any number of threads can pack them at once, in any order, without
/// moving bytes again: the packed xorb is the list of the filled parts. The buffer holds the largest xorb, so
/// a xorb never waits for memory once it is open, and the blocks that the chunks came from are free as soon
/// as they are packed.
///
/// The bookkeeping belongs to the session's strand; place() may be filled from any thread.
class OpenXorb {
 public:
  /// One chunk of the xorb.
  struct Entry {
    ChunkHash hash;
    uint32_t len_bytes = 0;
    uint32_t packed_len = 0;  ///< header and payload; 0 until packed
    size_t place = 0;         ///< in the buffer
    size_t file = 0;          ///< whose new data it is: index of the file in the session
    bool wanted = false;      ///< stored although it is known, so that the file does not shatter
    bool dropped = false;     ///< found elsewhere before the xorb was closed
  };

  /// `id`: its number among the known xorbs. `max_bytes`: chunk bytes (packed or not) that it may hold;
  /// `memory` has room for buffer_bytes(max_bytes).
  OpenXorb(uint32_t id, size_t max_bytes, exec::Buffer memory)
      : id_(id), max_bytes_(max_bytes), memory_(std::move(memory)) {}

  /// Packed and unpacked size are both limited to `max_bytes`, as the strictest readers of the format want,
  /// so that is all the room that is ever needed.
  static constexpr size_t buffer_bytes(size_t max_bytes) { return max_bytes; }

  uint32_t id() const { return id_; }
  void set_id(uint32_t id) { id_ = id; }
  const std::vector<Entry>& entries() const { return entries_; }
  std::vector<Entry>& entries() { return entries_; }
  bool empty() const { return entries_.empty(); }

  bool has_room_for(size_t chunk_len) const {
    return used_ + format::max_encoded_chunk(chunk_len) <= max_bytes_ &&
           entries_.size() < format::kMaxXorbChunks;
  }
  /// Assigns the next place; the index of the entry.
  uint32_t add(const ChunkHash& hash, uint32_t len_bytes, size_t file, bool wanted) {
    entries_.push_back({hash, len_bytes, 0, used_, file, wanted, false});
    used_ += format::max_encoded_chunk(len_bytes);
    return static_cast<uint32_t>(entries_.size() - 1);
  }
  /// Room for the packed form of a chunk of this length at this place.
  MutableByteSpan place(size_t at, size_t len_bytes) const {
    return memory_.bytes().subspan(at, format::max_encoded_chunk(len_bytes));
  }

  /// The packed bytes of all entries that are not dropped, in order; neighbours in memory are joined.
  std::vector<ByteSpan> pieces() const;

  // Pack tasks that have not reported yet; the session's strand counts.
  size_t packing = 0;
  bool closed = false;
  // Unpacked bytes that progress has counted as transferred; added to from the threads that send.
  std::atomic<uint64_t> counted{0};

 private:
  uint32_t id_;
  const size_t max_bytes_;
  exec::Buffer memory_;
  std::vector<Entry> entries_;
  size_t used_ = 0;
};

inline std::vector<ByteSpan> OpenXorb::pieces() const {
  std::vector<ByteSpan> out;
  for (const auto& entry : entries_) {
    if (entry.dropped) continue;
    const ByteSpan piece = memory_.bytes().subspan(entry.place, entry.packed_len);
    if (!out.empty() && out.back().data() + out.back().size() == piece.data()) {
      out.back() = {out.back().data(), out.back().size() + piece.size()};
    } else {
      out.push_back(piece);
    }
  }
  return out;
}

}  // namespace xet::session
