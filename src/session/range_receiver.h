#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "cas/cas.h"
#include "exec/memory.h"
#include "format/xorb.h"
#include "xet/result.h"

namespace xet::session {

/// One packed chunk as it was received.
struct FramedChunk {
  uint32_t index = 0;            ///< in its xorb
  uint64_t packed_offset = 0;    ///< of the header, in the xorb
  uint64_t unpacked_offset = 0;  ///< of the chunk's first byte, from the start of the fetched range
  format::ChunkHeader header;
  ByteSpan payload;
};

/// Chunks that lie in one buffer, in order. The buffer goes back when the last copy is gone.
struct FramedBlock {
  std::shared_ptr<exec::Buffer> memory;
  std::vector<FramedChunk> chunks;
};

/// Receives a fetched range into pooled buffers and cuts it into chunks while it comes. A chunk that is
/// incomplete at the end of a buffer is copied to the front of the next, so no buffer waits for another: with
/// any number of ranges under way, one free buffer is enough to go on.
///
/// Owned by shared_ptr: a buffer may come after its fetch was stopped and all else of it is gone.
class RangeReceiver final : public cas::FetchSink, public std::enable_shared_from_this<RangeReceiver> {
 public:
  static constexpr size_t kBufferBytes = size_t{2} << 20;

  /// `on_block` gets the blocks in order, on the sender's thread; it must be short. `on_error` is called at
  /// most once, with kCorruption naming xorb, chunk and offset; what comes after it is thrown away.
  static std::shared_ptr<RangeReceiver> make(const XorbHash& xorb, const cas::FetchRange& range,
                                             exec::BufferPool& buffers,
                                             std::function<void(FramedBlock)> on_block,
                                             std::function<void(Error)> on_error);

  /// After a fetch that the store called a success: kCorruption when not everything came.
  Status check_complete() const;

  MutableByteSpan room(UniqueFunction<void()> resume) override;
  void filled(size_t n_bytes) override;

 private:
  RangeReceiver(const XorbHash& xorb, const cas::FetchRange& range, exec::BufferPool& buffers,
                std::function<void(FramedBlock)> on_block, std::function<void(Error)> on_error);
  void cut();
  Status cut_chunks(ByteSpan bytes, FramedBlock& block, size_t& used);

  const XorbHash xorb_;
  const cas::ChunkRange chunks_;
  const cas::ByteRange bytes_;
  exec::BufferPool& buffers_;
  std::function<void(FramedBlock)> on_block_;
  std::function<void(Error)> on_error_;

  exec::Buffer current_;
  size_t filled_ = 0;       // of current_
  ByteVector carry_;        // incomplete chunk of the last buffer
  uint64_t received_ = 0;   // of the range
  uint64_t cut_bytes_ = 0;  // of the range, cut into chunks
  uint64_t unpacked_ = 0;
  uint32_t next_chunk_;
  bool failed_ = false;
};

}  // namespace xet::session
