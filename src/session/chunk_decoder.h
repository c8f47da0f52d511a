#pragma once

#include <memory>
#include <vector>

#include "base/sync.h"
#include "cas/cas.h"
#include "codec/codec.h"
#include "format/xorb.h"
#include "session/range_receiver.h"
#include "xet/hash.h"
#include "xet/result.h"

namespace xet::session {

/// A chunk that was decoded and hashed. The bytes lie in the framed block or in the decoder's memory.
struct DecodedChunk {
  uint32_t index = 0;
  uint64_t unpacked_offset = 0;
  ChunkHash hash;
  ByteSpan bytes;
};

/// Decodes and hashes chunks. Its memory (kRoom plus one chunk, and the codec's) is reused from block to
/// block, so keep a few in a DecoderPool. Not thread-safe.
class ChunkDecoder {
 public:
  /// Unpacked bytes that are held at once, about.
  static constexpr size_t kRoom = size_t{1} << 20;

  ChunkDecoder() : room_(kRoom + format::kMaxChunkBytes) {}

  /// Decodes chunks from the front of `chunks` until its memory is full, at least one; hashes them, and
  /// compares with `expected[index - first_expected]` unless that is empty. Appends to `out`, whose chunks
  /// are valid until the next call. kCorruption names xorb, chunk and offset.
  Result<size_t> decode(const XorbHash& xorb, std::span<const FramedChunk> chunks,
                        const cas::FetchRange& range, std::vector<DecodedChunk>& out);

 private:
  codec::Codec codec_;
  ByteVector room_;
};

/// Idle decoders, so that there are no more than tasks that decode at once. Thread-safe.
class DecoderPool {
 public:
  std::unique_ptr<ChunkDecoder> take();
  void put(std::unique_ptr<ChunkDecoder> decoder);

 private:
  Sync<std::vector<std::unique_ptr<ChunkDecoder>>> idle_;
};

}  // namespace xet::session
