#include "format/xorb_stream.h"

#include <fmt/format.h>

#include <algorithm>

#include "hash/blake3.h"

namespace xet::format {

XorbStreamReader::XorbStreamReader(codec::Codec& codec, Footer footer, OnChunk on_chunk)
    : codec_(codec), footer_policy_(footer), on_chunk_(std::move(on_chunk)) {}

Status XorbStreamReader::feed(ByteSpan piece) {
  while (!piece.empty()) {
    if (state_ == State::kFooter) return take_footer_bytes(piece);
    if (pending_.empty() && piece.size() >= ChunkHeader::kEncodedSize) {
      XET_TRY_STATUS(take_header(piece.first<ChunkHeader::kEncodedSize>()));
      if (state_ == State::kFooter) continue;
      if (piece.size() >= encoded_len()) {  // the whole chunk lies in the piece
        XET_TRY_STATUS(take_chunk(piece.first(encoded_len())));
        piece = piece.subspan(encoded_len());
        state_ = State::kHeader;
        continue;
      }
    }
    if (state_ == State::kHeader) {
      if (!top_up(piece, ChunkHeader::kEncodedSize)) return {};
      XET_TRY_STATUS(take_header(ByteSpan(pending_).first<ChunkHeader::kEncodedSize>()));
      if (state_ == State::kFooter) continue;
    }
    if (!top_up(piece, encoded_len())) return {};
    XET_TRY_STATUS(take_chunk(pending_));
    pending_.clear();
    state_ = State::kHeader;
  }
  return {};
}

bool XorbStreamReader::top_up(ByteSpan& piece, size_t n_bytes) {
  pending_.reserve(n_bytes);  // at most one packed chunk
  const size_t n = std::min(n_bytes - pending_.size(), piece.size());
  append_bytes(pending_, piece.first(n));
  piece = piece.subspan(n);
  return pending_.size() == n_bytes;
}

tl::unexpected<Error> XorbStreamReader::in_chunk(Error error) const {
  return fail(std::move(error), fmt::format("xorb chunk {} at offset {}", chunk_count(), body_size()));
}

Status XorbStreamReader::take_header(std::span<const std::byte, ChunkHeader::kEncodedSize> bytes) {
  if (footer_policy_ == Footer::kAllowed && ChunkHeader::is_footer_marker(bytes)) {
    state_ = State::kFooter;
    return {};
  }
  auto header = ChunkHeader::parse(bytes);
  if (!header) return in_chunk(std::move(header).error());
  header_ = *header;
  state_ = State::kPayload;
  return {};
}

Status XorbStreamReader::take_chunk(ByteSpan encoded) {
  if (header_.scheme != codec::Scheme::kNone && unpacked_.empty()) unpacked_.resize(kMaxChunkBytes);
  auto chunk = decode_chunk(header_, encoded.subspan(ChunkHeader::kEncodedSize), codec_, unpacked_);
  if (!chunk) return in_chunk(std::move(chunk).error());
  const StreamedChunk found{
      static_cast<uint32_t>(chunk_count()), body_size(), header_, encoded, *chunk, hash::chunk_hash(*chunk)};
  if (auto added = builder_.add(found.hash, header_.packed_len, header_.unpacked_len); !added) {
    return in_chunk({ErrorCode::kCorruption, std::move(added).error().message});
  }
  if (on_chunk_) XET_TRY_STATUS(on_chunk_(found));
  return {};
}

Status XorbStreamReader::take_footer_bytes(ByteSpan bytes) {
  const size_t limit = XorbFooter::encoded_size(chunk_count()) + XorbFooter::kLengthField;
  if (bytes.size() > limit - pending_.size()) {
    return fail(ErrorCode::kCorruption,
                fmt::format("xorb: bytes behind the footer at offset {}", body_size() + limit));
  }
  append_bytes(pending_, bytes);
  return {};
}

Result<XorbFooter> XorbStreamReader::finish() {
  if (state_ != State::kFooter && !pending_.empty()) {
    return in_chunk({ErrorCode::kCorruption,
                     fmt::format("truncated: the body ends at offset {}", body_size() + pending_.size())});
  }
  XorbFooter rebuilt = builder_.finish();
  if (state_ == State::kFooter) XET_TRY_STATUS(compare_footer(rebuilt));
  return rebuilt;
}

Status XorbStreamReader::compare_footer(const XorbFooter& rebuilt) const {
  const uint32_t begin = rebuilt.ends.packed_size();
  const uint64_t object_size = uint64_t{begin} + pending_.size();
  const auto differs = [&](std::string_view what) {
    return fail(ErrorCode::kCorruption,
                fmt::format("xorb: the footer at offset {} has other {} than its chunks", begin, what));
  };
  XET_TRY(const size_t size, XorbFooter::tail_size(pending_, object_size));
  if (size != pending_.size()) return differs("length");
  XET_TRY(const XorbFooter found, XorbFooter::parse_tail(pending_, object_size));
  if (found.ends.packed_ends != rebuilt.ends.packed_ends) return differs("packed ends");
  if (found.ends.has_unpacked() && found.ends != rebuilt.ends) return differs("uncompressed ends");
  if (found.chunk_hashes != rebuilt.chunk_hashes) return differs("chunk hashes");
  if (found.hash != rebuilt.hash) return differs("xorb hash");
  return {};
}

}  // namespace xet::format
