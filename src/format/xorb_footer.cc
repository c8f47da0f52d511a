#include "format/xorb_footer.h"

#include <fmt/format.h>

#include <limits>
#include <string_view>

namespace xet::format {
namespace {

constexpr std::string_view kFooterIdent = "XETBLOB";
constexpr std::string_view kHashIdent = "XBLBHSH";
constexpr std::string_view kBoundaryIdent = "XBLBBND";
constexpr uint8_t kFooterVersion = 1;
constexpr uint8_t kHashVersion = 0;
constexpr uint8_t kBoundaryVersion = 1;
constexpr size_t kBufferSize = 16;  // nonce and reserved bytes: not covered by anything, ignored

// From the footer's end, buffer included, back to the start of a section of n chunks.
constexpr size_t hash_distance(size_t n) {
  return 52 + 40 * n;
}
constexpr size_t boundary_distance(size_t n) {
  return 40 + 8 * n;
}

tl::unexpected<Error> bad_footer(size_t offset, std::string_view what) {
  return fail(ErrorCode::kCorruption, fmt::format("xorb footer: {} at offset {}", what, offset));
}

Status expect_ident(ByteReader& in, std::string_view ident) {
  const size_t offset = in.offset();
  XET_TRY(const auto found, in.take(ident.size()));
  if (as_chars(found) != ident) return bad_footer(offset, fmt::format("no {} identifier", ident));
  return {};
}

Status expect_version(ByteReader& in, uint8_t version) {
  const size_t offset = in.offset();
  XET_TRY(const auto found, in.le<uint8_t>());
  if (found != version) return bad_footer(offset, fmt::format("unknown section version {}", found));
  return {};
}

Status expect_u32(ByteReader& in, size_t expected, std::string_view what) {
  const size_t offset = in.offset();
  XET_TRY(const auto found, in.le<uint32_t>());
  if (found != expected) {
    return bad_footer(offset, fmt::format("{} is {}, expected {}", what, found, expected));
  }
  return {};
}

/// A chunk count whose records of `record_size` bytes each must be in the rest of the input.
Result<size_t> read_count(ByteReader& in, size_t record_size) {
  const size_t offset = in.offset();
  XET_TRY(const size_t n, in.le<uint32_t>());
  if (n > kMaxXorbChunks) {
    return bad_footer(offset, fmt::format("{} chunks, at most {} allowed", n, kMaxXorbChunks));
  }
  if (n > in.remaining() / record_size) return bad_footer(offset, "chunk count exceeds the footer");
  return n;
}

/// Rising end offsets; each step is at least `min_step` and at most `max_step`, the last at most `limit`.
Result<std::vector<uint32_t>> read_ends(ByteReader& in, size_t n, uint32_t min_step, uint32_t max_step,
                                        size_t limit) {
  std::vector<uint32_t> ends;
  ends.reserve(n);
  uint32_t previous = 0;
  for (size_t i = 0; i < n; ++i) {
    const size_t offset = in.offset();
    XET_TRY(const auto end, in.le<uint32_t>());
    if (end < previous || end - previous < min_step || end - previous > max_step || end > limit) {
      return bad_footer(offset, fmt::format("end of chunk {} is {} after {}", i, end, previous));
    }
    ends.push_back(end);
    previous = end;
  }
  return ends;
}

Result<std::vector<uint32_t>> read_packed_ends(ByteReader& in, size_t n) {
  constexpr uint32_t kHeader = ChunkHeader::kEncodedSize;
  return read_ends(in, n, kHeader, kHeader + kMaxPackedChunkBytes, kMaxPackedXorbBytes);
}
Result<std::vector<uint32_t>> read_unpacked_ends(ByteReader& in, size_t n) {
  return read_ends(in, n, 0, kMaxChunkBytes, kMaxXorbBytes);
}

Result<std::vector<ChunkHash>> read_hashes(ByteReader& in, size_t n) {
  std::vector<ChunkHash> hashes;
  hashes.reserve(n);
  for (size_t i = 0; i < n; ++i) {
    XET_TRY(hashes.emplace_back(), in.hash<ChunkHash>());
  }
  return hashes;
}

/// From the boundary section to the footer's end.
Result<XorbBoundaries> read_boundary_section(ByteReader& in) {
  XET_TRY_STATUS(expect_ident(in, kBoundaryIdent));
  XET_TRY_STATUS(expect_version(in, kBoundaryVersion));
  XET_TRY(const size_t n, read_count(in, 8));
  XorbBoundaries ends;
  XET_TRY(ends.packed_ends, read_packed_ends(in, n));
  XET_TRY(ends.unpacked_ends, read_unpacked_ends(in, n));
  XET_TRY_STATUS(expect_u32(in, n, "chunk count"));
  XET_TRY_STATUS(expect_u32(in, hash_distance(n), "distance of the hash section"));
  XET_TRY_STATUS(expect_u32(in, boundary_distance(n), "distance of the boundary section"));
  XET_TRY_STATUS(in.take(kBufferSize));
  return ends;
}

Result<XorbFooter> read_version_0(ByteReader& in) {
  XorbFooter footer;
  XET_TRY(footer.hash, in.hash<XorbHash>());
  XET_TRY(const size_t n, read_count(in, 4 + ChunkHash::kSize));
  XET_TRY(footer.ends.packed_ends, read_packed_ends(in, n));
  XET_TRY(footer.chunk_hashes, read_hashes(in, n));
  XET_TRY_STATUS(in.take(kBufferSize));
  return footer;
}

Result<XorbFooter> read_version_1(ByteReader& in) {
  XorbFooter footer;
  XET_TRY(footer.hash, in.hash<XorbHash>());
  XET_TRY_STATUS(expect_ident(in, kHashIdent));
  XET_TRY_STATUS(expect_version(in, kHashVersion));
  XET_TRY(const size_t n, read_count(in, ChunkHash::kSize));
  XET_TRY(footer.chunk_hashes, read_hashes(in, n));
  const size_t offset = in.offset();
  XET_TRY(footer.ends, read_boundary_section(in));
  if (footer.ends.chunk_count() != n) {
    return bad_footer(offset,
                      fmt::format("boundaries of {} chunks but hashes of {}", footer.ends.chunk_count(), n));
  }
  return footer;
}

void append_text(ByteVector& out, std::string_view text, uint8_t version) {
  append_bytes(out, as_byte_span(text));
  append_le(out, version);
}

uint32_t load32(ByteSpan bytes) {
  uint32_t value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return from_little_endian(value);
}

}  // namespace

Result<PackedRange> XorbBoundaries::packed_range(uint32_t begin, uint32_t end) const {
  if (begin >= end || end > chunk_count()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("chunks {} to {} of a xorb of {} chunks", begin, end, chunk_count()));
  }
  return PackedRange{begin == 0 ? 0 : packed_ends[begin - 1], packed_ends[end - 1]};
}

Result<uint32_t> XorbBoundaries::unpacked_len(uint32_t begin, uint32_t end) const {
  if (begin > end || end > chunk_count() || begin >= chunk_count()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("chunks {} to {} of a xorb of {} chunks", begin, end, chunk_count()));
  }
  if (!has_unpacked()) {
    return fail(ErrorCode::kInvalidArgument, "the xorb's footer does not know uncompressed lengths");
  }
  const auto end_of = [&](uint32_t i) { return i == 0 ? 0 : unpacked_ends[i - 1]; };
  return end_of(end) - end_of(begin);
}

void XorbFooter::append_to(ByteVector& out) const {
  out.reserve(out.size() + encoded_size(chunk_count()) + kLengthField);
  // A vector takes everything.
  (void)write_to([&](ByteSpan piece) -> Status {
    append_bytes(out, piece);
    return {};
  });
}

namespace {

size_t encoded_size_of(uint8_t version, size_t n) {
  return version == 0 ? 60 + 36 * n : XorbFooter::encoded_size(n);
}

/// Gathers what is appended into pieces.
class PieceWriter {
 public:
  explicit PieceWriter(const std::function<Status(ByteSpan)>& sink) : sink_(sink) {
    buffer_.reserve(kPiece + 64);
  }
  ByteVector& buffer() { return buffer_; }
  /// Called at least every 64 bytes.
  void passed_on_when_full() {
    if (buffer_.size() >= kPiece) flush();
  }
  void flush() {
    if (status_ && !buffer_.empty()) status_ = sink_(buffer_);
    buffer_.clear();
  }
  void append_hashes(std::span<const ChunkHash> hashes) {
    for (const auto& each : hashes) {
      append_hash(buffer_, each);
      passed_on_when_full();
    }
  }
  void append_numbers(std::span<const uint32_t> numbers) {
    for (const uint32_t each : numbers) {
      append_le(buffer_, each);
      passed_on_when_full();
    }
  }
  Status take_status() { return std::move(status_); }

 private:
  static constexpr size_t kPiece = 8 * 1024;
  const std::function<Status(ByteSpan)>& sink_;
  ByteVector buffer_;
  Status status_;
};

}  // namespace

Status XorbFooter::write_to(const std::function<Status(ByteSpan)>& sink, uint8_t version) const {
  const size_t n = chunk_count();
  const auto count = static_cast<uint32_t>(n);
  PieceWriter out(sink);
  append_text(out.buffer(), kFooterIdent, version);
  append_hash(out.buffer(), hash);
  if (version == 0) {
    append_le(out.buffer(), count);
    out.append_numbers(ends.packed_ends);
    out.append_hashes(chunk_hashes);
  } else {
    append_text(out.buffer(), kHashIdent, kHashVersion);
    append_le(out.buffer(), count);
    out.append_hashes(chunk_hashes);
    append_text(out.buffer(), kBoundaryIdent, kBoundaryVersion);
    append_le(out.buffer(), count);
    out.append_numbers(ends.packed_ends);
    out.append_numbers(ends.unpacked_ends);
    append_le(out.buffer(), count);
    append_le(out.buffer(), static_cast<uint32_t>(hash_distance(n)));
    append_le(out.buffer(), static_cast<uint32_t>(boundary_distance(n)));
  }
  out.buffer().resize(out.buffer().size() + kBufferSize);
  append_le(out.buffer(), static_cast<uint32_t>(encoded_size_of(version, n)));
  out.flush();
  return out.take_status();
}

Status XorbFooter::check_tail(ByteSpan tail) const {
  if (tail.size() <= kFooterIdent.size()) return bad_footer(0, "truncated");
  const auto version = std::to_integer<uint8_t>(tail[kFooterIdent.size()]);
  if (version > kFooterVersion) {
    return bad_footer(kFooterIdent.size(), fmt::format("unknown version {}", version));
  }
  const size_t size = encoded_size_of(version, chunk_count());
  if (tail.size() != size + kLengthField) {
    return bad_footer(0, fmt::format("{} bytes for {} chunks, {} expected", tail.size(), chunk_count(),
                                     size + kLengthField));
  }
  size_t at = 0;
  return write_to(
      [&](ByteSpan piece) -> Status {
        for (const std::byte expected : piece) {
          const bool covered = at < size - kBufferSize || at >= size;
          if (covered && tail[at] != expected)
            return bad_footer(at, "it says something else than the chunks");
          ++at;
        }
        return {};
      },
      version);
}

Result<XorbFooter> XorbFooter::parse(ByteSpan footer) {
  ByteReader in(footer);
  XET_TRY_STATUS(expect_ident(in, kFooterIdent));
  XET_TRY(const auto version, in.le<uint8_t>());
  if (version > kFooterVersion) {
    return bad_footer(kFooterIdent.size(), fmt::format("unknown version {}", version));
  }
  XET_TRY(XorbFooter out, version == 0 ? read_version_0(in) : read_version_1(in));
  if (!in.at_end()) return bad_footer(in.offset(), fmt::format("{} bytes too many", in.remaining()));
  return out;
}

Result<size_t> XorbFooter::tail_size(ByteSpan tail, uint64_t object_size) {
  if (tail.size() < kLengthField || object_size < tail.size()) {
    return fail(ErrorCode::kCorruption, fmt::format("a xorb of {} bytes has no footer", object_size));
  }
  const size_t size = size_t{load32(tail.last(kLengthField))} + kLengthField;
  if (size > object_size || size > kMaxTail) {
    return fail(ErrorCode::kCorruption,
                fmt::format("xorb of {} bytes: the length field at offset {} announces a footer of {} bytes",
                            object_size, object_size - kLengthField, size - kLengthField));
  }
  return size;
}

Result<XorbFooter> XorbFooter::parse_tail(ByteSpan tail, uint64_t object_size) {
  XET_TRY(const size_t size, tail_size(tail, object_size));
  if (tail.size() < size) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{} bytes of a tail of {}", tail.size(), size));
  }
  XET_TRY(XorbFooter footer, parse(tail.last(size).first(size - kLengthField)));
  if (footer.ends.packed_size() != object_size - size) {
    return fail(ErrorCode::kCorruption, fmt::format("the xorb's chunks end at {} but its footer begins at {}",
                                                    footer.ends.packed_size(), object_size - size));
  }
  return footer;
}

Result<size_t> boundary_tail_size(ByteSpan tail) {
  constexpr size_t kDistanceField = 4 + kBufferSize + XorbFooter::kLengthField;
  if (tail.size() < kDistanceField) {
    return fail(ErrorCode::kCorruption, "too few bytes for a xorb footer");
  }
  const size_t distance = load32(tail.last(kDistanceField));
  if (distance > boundary_distance(kMaxXorbChunks)) {
    return fail(ErrorCode::kCorruption, fmt::format("xorb footer: boundary section {} bytes long", distance));
  }
  return distance + XorbFooter::kLengthField;
}

Result<XorbBoundaries> parse_boundaries(ByteSpan tail) {
  XET_TRY(const size_t size, boundary_tail_size(tail));
  if (tail.size() < size) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{} bytes of a tail of {}", tail.size(), size));
  }
  ByteReader in(tail.last(size));
  XET_TRY(XorbBoundaries ends, read_boundary_section(in));
  XET_TRY_STATUS(expect_u32(in, XorbFooter::encoded_size(ends.chunk_count()), "footer length"));
  return ends;
}

Status XorbFooterBuilder::add(const ChunkHash& hash, uint32_t packed_len, uint32_t unpacked_len) {
  const uint64_t packed_end = uint64_t{packed_size()} + ChunkHeader::kEncodedSize + packed_len;
  const uint64_t unpacked_end = uint64_t{unpacked_size()} + unpacked_len;
  if (chunk_count() >= kMaxXorbChunks) {
    return fail(ErrorCode::kRefused, fmt::format("a xorb holds at most {} chunks", kMaxXorbChunks));
  }
  if (unpacked_end > kMaxXorbBytes || packed_end > kMaxPackedXorbBytes) {
    return fail(ErrorCode::kRefused,
                fmt::format("a xorb holds at most {} bytes of chunks, {} packed; this would be {} and {}",
                            kMaxXorbBytes, kMaxPackedXorbBytes, unpacked_end, packed_end));
  }
  footer_.chunk_hashes.push_back(hash);
  footer_.ends.packed_ends.push_back(static_cast<uint32_t>(packed_end));
  footer_.ends.unpacked_ends.push_back(static_cast<uint32_t>(unpacked_end));
  tree_.add(hash::ChunkInfo{hash, unpacked_len});
  return {};
}

XorbFooter XorbFooterBuilder::finish() {
  XorbFooter out = std::move(footer_);
  out.hash = tree_.finish_xorb();
  *this = XorbFooterBuilder();
  return out;
}

}  // namespace xet::format
