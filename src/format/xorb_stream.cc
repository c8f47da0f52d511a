#include "format/xorb_stream.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

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
  if (pending_.capacity() < n_bytes) {
    // Before more room (at most for one packed chunk) is taken, the old is given back: a header is in it at
    // most.
    std::array<std::byte, ChunkHeader::kEncodedSize> front;
    const size_t n_front = pending_.size();
    std::copy(pending_.begin(), pending_.end(), front.begin());
    pending_ = {};
    pending_.reserve(n_bytes);
    append_bytes(pending_, ByteSpan(front).first(n_front));
  }
  const size_t n = std::min(n_bytes - pending_.size(), piece.size());
  append_bytes(pending_, piece.first(n));
  piece = piece.subspan(n);
  return pending_.size() == n_bytes;
}

tl::unexpected<Error> XorbStreamReader::in_chunk(const Error& error) const {
  return fail(error, fmt::format("xorb chunk {} at offset {}", chunk_count(), body_size()));
}

Status XorbStreamReader::take_header(std::span<const std::byte, ChunkHeader::kEncodedSize> bytes) {
  if (footer_policy_ == Footer::kAllowed && ChunkHeader::is_footer_marker(bytes)) {
    state_ = State::kFooter;
    // The footer has to be kept until all of it is here; room for chunks is no longer needed.
    unpacked_ = {};
    ByteVector footer;
    footer.reserve(max_footer_bytes());
    append_bytes(footer, pending_);
    pending_ = std::move(footer);
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
  const size_t limit = max_footer_bytes();
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
  if (state_ != State::kFooter) return rebuilt;
  if (auto same = rebuilt.check_tail(pending_); !same) {
    return fail(same.error(),
                fmt::format("xorb, behind its chunks at offset {}", rebuilt.ends.packed_size()));
  }
  return rebuilt;
}
}  // namespace xet::format
