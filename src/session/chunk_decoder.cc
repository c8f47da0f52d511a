#include "session/chunk_decoder.h"

#include <fmt/format.h>

#include <utility>

#include "hash/blake3.h"

namespace xet::session {

Result<size_t> ChunkDecoder::decode(const XorbHash& xorb, std::span<const FramedChunk> chunks,
                                    const cas::FetchRange& range, std::vector<DecodedChunk>& out) {
  size_t used = 0;
  size_t n = 0;
  for (; n < chunks.size() && (n == 0 || used < kRoom); ++n) {
    const auto& chunk = chunks[n];
    auto bytes =
        format::decode_chunk(chunk.header, chunk.payload, codec_, MutableByteSpan(room_).subspan(used));
    if (!bytes) {
      return fail(std::move(bytes).error(),
                  fmt::format("xorb {} chunk {} at offset {}", xorb.hex(), chunk.index, chunk.packed_offset));
    }
    const bool in_room = bytes->data() >= room_.data() && bytes->data() < room_.data() + room_.size();
    if (in_room) used += bytes->size();
    const auto hash = hash::chunk_hash(*bytes);
    if (!range.chunk_hashes.empty() && range.chunk_hashes[chunk.index - range.chunks.begin] != hash) {
      return fail(ErrorCode::kCorruption,
                  fmt::format("xorb {} chunk {} at offset {}: content hashes to {}, {} expected", xorb.hex(),
                              chunk.index, chunk.packed_offset, hash.hex(),
                              range.chunk_hashes[chunk.index - range.chunks.begin].hex()));
    }
    out.push_back({chunk.index, chunk.unpacked_offset, hash, *bytes});
  }
  return n;
}

std::unique_ptr<ChunkDecoder> DecoderPool::take() {
  auto idle = idle_.lock();
  if (idle->empty()) return std::make_unique<ChunkDecoder>();
  auto out = std::move(idle->back());
  idle->pop_back();
  return out;
}

void DecoderPool::put(std::unique_ptr<ChunkDecoder> decoder) {
  idle_.lock()->push_back(std::move(decoder));
}

}  // namespace xet::session
