#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "format/xorb.h"

namespace xet::format {

/// Bytes of a packed xorb, half-open.
struct PackedRange {
  uint32_t begin = 0;
  uint32_t end = 0;
  uint32_t size() const { return end - begin; }
  friend bool operator==(const PackedRange&, const PackedRange&) = default;
};

/// Where the chunks of a xorb end, in its packed body (headers included) and in its uncompressed content.
struct XorbBoundaries {
  std::vector<uint32_t> packed_ends;
  std::vector<uint32_t> unpacked_ends;  ///< empty when unknown: a version 0 footer does not say

  size_t chunk_count() const { return packed_ends.size(); }
  bool has_unpacked() const { return unpacked_ends.size() == packed_ends.size(); }
  uint32_t packed_size() const { return packed_ends.empty() ? 0 : packed_ends.back(); }
  uint32_t unpacked_size() const { return unpacked_ends.empty() ? 0 : unpacked_ends.back(); }

  /// The bytes to fetch for chunks [begin, end). kInvalidArgument unless begin < end <= chunk_count().
  Result<PackedRange> packed_range(uint32_t begin, uint32_t end) const;
  /// Uncompressed bytes of chunks [begin, end); 0 for begin == end. kInvalidArgument outside the xorb or when
  /// the lengths are unknown.
  Result<uint32_t> unpacked_len(uint32_t begin, uint32_t end) const;
  /// Uncompressed bytes of chunk i. Only with has_unpacked() and i < chunk_count().
  uint32_t chunk_len(size_t i) const { return unpacked_ends[i] - (i == 0 ? 0 : unpacked_ends[i - 1]); }

  friend bool operator==(const XorbBoundaries&, const XorbBoundaries&) = default;
};

/// The index at the end of a stored xorb (docs/format/xorb.md). Uploads have none; a store rebuilds it.
struct XorbFooter {
  /// Bytes of a version 1 footer for n chunks, without the length field of kLengthField bytes behind it.
  static constexpr size_t encoded_size(size_t n_chunks) { return 92 + 40 * n_chunks; }
  static constexpr size_t kLengthField = 4;
  /// Most bytes at the end of an object that its footer and length field take.
  static constexpr size_t kMaxTail = 92 + 40 * kMaxXorbChunks + kLengthField;

  XorbHash hash;
  std::vector<ChunkHash> chunk_hashes;
  XorbBoundaries ends;

  size_t chunk_count() const { return chunk_hashes.size(); }
  /// Chunk i as the tree hasher wants it. Only with ends.has_unpacked() and i < chunk_count().
  hash::ChunkInfo chunk(size_t i) const { return {chunk_hashes[i], ends.chunk_len(i)}; }

  /// Version 1, followed by the length field.
  void append_to(ByteVector& out) const;
  /// The same in pieces of some KiB, for whoever has no room for a second copy. `version` may be 0. An error
  /// of `sink` is passed on.
  Status write_to(const std::function<Status(ByteSpan)>& sink, uint8_t version = 1) const;
  /// Whether `tail` is this footer (version 0 or 1) and its length field; what no hash covers is not looked
  /// at. kCorruption says where it is not. Copies nothing.
  Status check_tail(ByteSpan tail) const;

  /// Parses exactly the footer's bytes (version 0 or 1), without the length field. kCorruption with the
  /// offset in `footer` where it is wrong; also when ends do not rise or exceed the limits.
  static Result<XorbFooter> parse(ByteSpan footer);
  /// Parses the footer of an object of `object_size` bytes from its last bytes: tail_size() of them or more.
  /// The chunks must end where the footer begins.
  static Result<XorbFooter> parse_tail(ByteSpan tail, uint64_t object_size);
  /// How many bytes at the end of an object its footer and length field take, from the last 4 or more bytes.
  static Result<size_t> tail_size(ByteSpan tail, uint64_t object_size);

  friend bool operator==(const XorbFooter&, const XorbFooter&) = default;
};

/// Reads the boundaries of a version 1 footer alone, without the hashes: for planning byte ranges.
/// `tail` are the last bytes of an object: boundary_tail_size() of them or more.
Result<XorbBoundaries> parse_boundaries(ByteSpan tail);
/// How many bytes parse_boundaries() needs, from the last 24 or more bytes of the object.
Result<size_t> boundary_tail_size(ByteSpan tail);

/// Collects a footer chunk by chunk, for whoever writes or reads a xorb in order.
///
///     XorbFooterBuilder builder;
///     for (...) builder.add(chunk_hash, packed_len, unpacked_len);
///     XorbFooter footer = builder.finish();
///
/// Not thread-safe.
class XorbFooterBuilder {
 public:
  /// Appends a chunk whose payload has `packed_len` bytes (the header is counted here). kRefused when the
  /// xorb would exceed its limits; it is then unchanged.
  Status add(const ChunkHash& hash, uint32_t packed_len, uint32_t unpacked_len);

  size_t chunk_count() const { return footer_.chunk_count(); }
  uint32_t packed_size() const { return footer_.ends.packed_size(); }
  uint32_t unpacked_size() const { return footer_.ends.unpacked_size(); }

  /// The footer with the xorb's hash; the zero hash when nothing was added. Leaves the builder empty.
  XorbFooter finish();

 private:
  XorbFooter footer_;
  hash::TreeHasher tree_;
};

}  // namespace xet::format
