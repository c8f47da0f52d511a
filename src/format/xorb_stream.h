#pragma once

#include <cstdint>

#include "base/unique_function.h"
#include "format/xorb_footer.h"

namespace xet::format {

/// One chunk as XorbStreamReader found it. The views are valid during the callback only.
struct StreamedChunk {
  uint32_t index = 0;
  uint64_t offset = 0;  ///< of the header, from the start of the body
  ChunkHeader header;
  ByteSpan encoded;   ///< header and payload as they came
  ByteSpan unpacked;  ///< the chunk
  ChunkHash hash;
};

/// Verifies a xorb body that arrives in pieces of any size: decodes and hashes each chunk as soon as it is
/// complete, and builds the footer and the xorb's hash on the way. A chunk that lies inside one piece is
/// decoded where it is; at most one chunk is buffered (about 400 KiB with everything, 40 bytes per chunk for
/// the footer beside it).
///
///     XorbStreamReader reader(codec, XorbStreamReader::Footer::kAllowed,
///                             [&](const StreamedChunk& chunk) { return store(chunk.encoded); });
///     while (...) XET_TRY_STATUS(reader.feed(piece));
///     XET_TRY(const XorbFooter footer, reader.finish());
///     if (footer.hash != announced) ...
///
/// After an error the reader must not be used. Not thread-safe; the codec is borrowed.
class XorbStreamReader {
 public:
  /// What may follow the last chunk. Old clients append a footer to their uploads; it must then agree with
  /// the chunks.
  enum class Footer : uint8_t { kForbidden, kAllowed };
  using OnChunk = UniqueFunction<Status(const StreamedChunk&)>;

  /// `on_chunk` may be empty. An error it returns is passed on by feed().
  XorbStreamReader(codec::Codec& codec, Footer footer, OnChunk on_chunk);

  /// kCorruption with chunk number and offset for anything that is not a sequence of chunks within the
  /// limits of a xorb.
  Status feed(ByteSpan piece);
  /// The rebuilt footer, once all pieces are in. kCorruption when the body ends inside a chunk, or when a
  /// footer follows that says something else. A body without chunks gives the zero hash and no chunks.
  Result<XorbFooter> finish();

  size_t chunk_count() const { return builder_.chunk_count(); }
  /// Bytes of the chunks so far, without a trailing footer.
  uint64_t body_size() const { return builder_.packed_size(); }

 private:
  enum class State : uint8_t { kHeader, kPayload, kFooter };

  /// Fills pending_ up to `n_bytes` from the front of `piece`; true when it is full.
  bool top_up(ByteSpan& piece, size_t n_bytes);
  Status take_header(std::span<const std::byte, ChunkHeader::kEncodedSize> bytes);
  Status take_chunk(ByteSpan encoded);
  Status take_footer_bytes(ByteSpan bytes);
  size_t max_footer_bytes() const {
    return XorbFooter::encoded_size(chunk_count()) + XorbFooter::kLengthField;
  }
  size_t encoded_len() const { return ChunkHeader::kEncodedSize + header_.packed_len; }
  tl::unexpected<Error> in_chunk(const Error& error) const;

  codec::Codec& codec_;
  Footer footer_policy_;
  OnChunk on_chunk_;
  State state_ = State::kHeader;
  ChunkHeader header_;   // of the chunk under way, from State::kPayload on
  ByteVector pending_;   // front part of the chunk (or footer) under way
  ByteVector unpacked_;  // room for a decoded chunk, made when first needed
  XorbFooterBuilder builder_;
};

}  // namespace xet::format
