#pragma once

#include <cstring>

#include "base/bytes.h"
#include "base/check.h"
#include "chunk/chunker.h"
#include "exec/memory.h"

namespace xet::session {

/// A pooled buffer of input: head room, then data. The head room takes what came before the data in the file:
/// the 63 bytes that the trigger scan looks back at, later the begin of a chunk that straddles the two
/// blocks, so that every chunk is contiguous in memory.
class Block {
 public:
  static constexpr size_t kBufferBytes = size_t{2} << 20;
  /// The longest unfinished chunk, rounded up to whole pages.
  static constexpr size_t kHeadRoom = chunk::kMaxChunk + 4096;
  static constexpr size_t kDataBytes = kBufferBytes - kHeadRoom;

  explicit Block(exec::Buffer memory) : memory_(std::move(memory)) {
    XET_CHECK(memory_.bytes().size() >= kBufferBytes);
  }

  MutableByteSpan room() const { return memory_.bytes().subspan(kHeadRoom, kDataBytes); }
  ByteSpan data() const { return room().first(size_); }
  void set_size(size_t n_bytes) { size_ = n_bytes; }

  /// Puts `bytes` directly in front of the data.
  void set_before(ByteSpan bytes) {
    XET_CHECK(bytes.size() <= kHeadRoom);
    before_ = bytes.size();
    if (!bytes.empty()) std::memcpy(room().data() - before_, bytes.data(), before_);
  }
  /// Room in front of the data, to be filled by the caller.
  MutableByteSpan before_room(size_t n_bytes) {
    before_ = n_bytes;
    return {room().data() - n_bytes, n_bytes};
  }
  size_t before() const { return before_; }
  /// What was put in front, and the data.
  ByteSpan with_before() const { return {room().data() - before_, before_ + size_}; }

 private:
  exec::Buffer memory_;
  size_t size_ = 0;
  size_t before_ = 0;
};

}  // namespace xet::session
