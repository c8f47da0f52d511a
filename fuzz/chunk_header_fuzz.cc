// An encoded chunk: header, then payload. What is accepted is encoded again under every policy and must come
// back the same.
#include <algorithm>
#include <cstdlib>

#include "format/xorb.h"

namespace {

using xet::ByteSpan, xet::ByteVector, xet::MutableByteSpan;
using namespace xet::format;

void expect_round_trip(ByteSpan chunk, xet::codec::Policy policy, xet::codec::Codec& codec) {
  ByteVector out(max_encoded_chunk(chunk.size()));
  const ByteSpan encoded = ByteSpan(out).first(encode_chunk(chunk, policy, codec, out));
  const auto header = ChunkHeader::parse(encoded.first<ChunkHeader::kEncodedSize>());
  if (!header || header->packed_len != encoded.size() - ChunkHeader::kEncodedSize) std::abort();
  ByteVector scratch(header->unpacked_len);
  const auto decoded = decode_chunk(*header, encoded.subspan(ChunkHeader::kEncodedSize), codec, scratch);
  if (!decoded || !std::ranges::equal(*decoded, chunk)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ByteSpan input = std::as_bytes(std::span(data, size));
  if (input.size() < ChunkHeader::kEncodedSize) return 0;
  const auto bytes = input.first<ChunkHeader::kEncodedSize>();
  auto header = ChunkHeader::parse(bytes);
  if (!header) return 0;
  if (!std::ranges::equal(header->encode(), bytes)) std::abort();
  const ByteSpan payload = input.subspan(ChunkHeader::kEncodedSize);
  header->packed_len = static_cast<uint32_t>(std::min(payload.size(), kMaxPackedChunkBytes));
  xet::codec::Codec codec;
  ByteVector scratch(header->unpacked_len);
  const auto chunk = decode_chunk(*header, payload.first(header->packed_len), codec, scratch);
  if (!chunk) return 0;
  if (chunk->size() != header->unpacked_len) std::abort();
  using xet::codec::Policy;
  for (const auto policy : {Policy::kAuto, Policy::kNone, Policy::kLz4, Policy::kBg4Lz4}) {
    expect_round_trip(*chunk, policy, codec);
  }
  return 0;
}
