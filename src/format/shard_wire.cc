#include "format/shard_wire.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/check.h"
#include "format/xorb.h"

namespace xet::format::wire {
namespace {

// "HFRepoMetaData", a zero byte, and 17 bytes that are just a constant.
constexpr std::array<uint8_t, 32> kTag = {0x48, 0x46, 0x52, 0x65, 0x70, 0x6f, 0x4d, 0x65, 0x74, 0x61, 0x44,
                                          0x61, 0x74, 0x61, 0x00, 0x55, 0x69, 0x67, 0x45, 0x6a, 0x7b, 0x81,
                                          0x57, 0x83, 0xa5, 0xbd, 0xd9, 0x5c, 0xcd, 0xd1, 0x4a, 0xa9};
constexpr uint64_t kHeaderVersion = 2;
constexpr uint64_t kFooterVersion = 1;
constexpr size_t kReservedFooterBytes = 48;
constexpr uint32_t kHasVerification = 0x80000000U;
constexpr uint32_t kHasMetadata = 0x40000000U;

void append_zeros(ByteVector& out, size_t n) {
  out.resize(out.size() + n);
}

/// A table must lie between the xorb section and the footer. An absent one may have any offset: some writers
/// leave zeros.
Status check_table(uint64_t offset, uint64_t n_entries, size_t entry_bytes, const Footer& footer,
                   uint64_t field_offset) {
  if (n_entries == 0) return {};
  const bool inside = offset >= footer.xorb_section && offset <= footer.footer_offset &&
                      n_entries <= (footer.footer_offset - offset) / entry_bytes;
  if (!inside) {
    return bad_shard(field_offset, fmt::format("a table of {} entries at {} that is not inside the shard",
                                               n_entries, offset));
  }
  return {};
}

}  // namespace

tl::unexpected<Error> bad_shard(uint64_t offset, std::string_view what) {
  return fail(ErrorCode::kCorruption, fmt::format("shard: {} at offset {}", what, offset));
}

void Header::append_to(ByteVector& out) const {
  append_bytes(out, std::as_bytes(std::span(kTag)));
  append_le(out, kHeaderVersion);
  append_le(out, footer_bytes);
}

Result<Header> Header::parse(ByteReader& in) {
  const size_t begin = in.offset();
  XET_TRY(const auto tag, in.take(kTag.size()));
  if (!std::ranges::equal(tag, std::as_bytes(std::span(kTag)))) return bad_shard(begin, "no shard tag");
  XET_TRY(const auto version, in.le<uint64_t>());
  if (version != kHeaderVersion) return bad_shard(begin + 32, fmt::format("unknown version {}", version));
  XET_TRY(const auto footer_bytes, in.le<uint64_t>());
  if (footer_bytes != 0 && footer_bytes != kFooterBytes) {
    return bad_shard(begin + 40, fmt::format("a footer of {} bytes", footer_bytes));
  }
  return Header{footer_bytes};
}

Result<GroupHeader> GroupHeader::parse(ByteReader& in) {
  GroupHeader out;
  XET_TRY(const auto hash, in.take(out.hash.size()));
  std::ranges::copy(hash, out.hash.begin());
  XET_TRY(out.flags, in.le<uint32_t>());
  XET_TRY(out.n_records, in.le<uint32_t>());
  XET_TRY(out.word_40, in.le<uint32_t>());
  XET_TRY(out.word_44, in.le<uint32_t>());
  out.is_bookend = std::ranges::all_of(out.hash, [](std::byte b) { return b == std::byte{0xFF}; });
  return out;
}

Status check_xorb_count(const GroupHeader& header, uint64_t offset) {
  if (header.n_records > kMaxXorbChunks) {
    return bad_shard(
        offset, fmt::format("a xorb of {} chunks, at most {} allowed", header.n_records, kMaxXorbChunks));
  }
  return {};
}

Result<FileRecord> parse_file(const GroupHeader& header, ByteReader& in, uint64_t base) {
  const uint64_t begin = base + in.offset();
  if (header.file_followers() > in.remaining() / kRecordBytes) {
    return bad_shard(begin, fmt::format("a file of {} segments exceeds the input", header.n_records));
  }
  FileRecord file;
  file.hash = FileHash(header.hash);
  file.has_verification = header.has_verification();
  file.terms.reserve(header.n_records);
  for (uint32_t i = 0; i < header.n_records; ++i) {
    const uint64_t offset = base + in.offset();
    FileTerm term;
    XET_TRY(term.xorb, in.hash<XorbHash>());
    XET_TRY_STATUS(in.take(4));  // flags: none defined
    XET_TRY(term.unpacked_len, in.le<uint32_t>());
    XET_TRY(term.chunk_begin, in.le<uint32_t>());
    XET_TRY(term.chunk_end, in.le<uint32_t>());
    if (term.chunk_begin >= term.chunk_end || term.chunk_end > kMaxXorbChunks) {
      return bad_shard(offset, fmt::format("a segment of chunks {} to {}", term.chunk_begin, term.chunk_end));
    }
    if (term.unpacked_len > kMaxXorbBytes) {
      return bad_shard(offset, fmt::format("a segment of {} bytes", term.unpacked_len));
    }
    file.terms.push_back(term);
  }
  if (file.has_verification) {
    file.verification.reserve(header.n_records);
    for (uint32_t i = 0; i < header.n_records; ++i) {
      XET_TRY(file.verification.emplace_back(), in.hash<RangeHash>());
      XET_TRY_STATUS(in.take(kRecordBytes - RangeHash::kSize));
    }
  }
  if (header.has_metadata()) {
    XET_TRY(file.sha256, in.hash<Sha256Digest>());
    XET_TRY_STATUS(in.take(kRecordBytes - Sha256Digest::kSize));
  }
  return file;
}

Result<XorbRecord> parse_xorb(const GroupHeader& header, ByteReader& in, uint64_t base) {
  const uint64_t begin = base + in.offset();
  XET_TRY_STATUS(check_xorb_count(header, begin));
  if (header.n_records > in.remaining() / kRecordBytes) {
    return bad_shard(begin, fmt::format("a xorb of {} chunks exceeds the input", header.n_records));
  }
  XorbRecord xorb;
  xorb.hash = XorbHash(header.hash);
  xorb.unpacked_bytes = header.word_40;
  xorb.packed_bytes = header.word_44;
  xorb.chunks.reserve(header.n_records);
  uint64_t sum = 0;
  for (uint32_t i = 0; i < header.n_records; ++i) {
    const uint64_t offset = base + in.offset();
    XorbChunk chunk;
    XET_TRY(chunk.hash, in.hash<ChunkHash>());
    XET_TRY(chunk.unpacked_offset, in.le<uint32_t>());
    XET_TRY(chunk.len_bytes, in.le<uint32_t>());
    XET_TRY(chunk.flags, in.le<uint32_t>());
    XET_TRY_STATUS(in.take(4));  // unused
    if (chunk.unpacked_offset != sum) {
      return bad_shard(offset, fmt::format("chunk {} begins at {} where those before it end at {}", i,
                                           chunk.unpacked_offset, sum));
    }
    if (chunk.len_bytes > kMaxChunkBytes) {
      return bad_shard(offset, fmt::format("chunk {} of {} bytes", i, chunk.len_bytes));
    }
    sum += chunk.len_bytes;
    xorb.chunks.push_back(chunk);
  }
  if (sum > kMaxXorbBytes || sum != xorb.unpacked_bytes) {
    return bad_shard(begin, fmt::format("chunks of {} bytes in a xorb of {}", sum, xorb.unpacked_bytes));
  }
  return xorb;
}

void append_file(ByteVector& out, const FileRecord& file) {
  XET_CHECK(file.verification.size() == (file.has_verification ? file.terms.size() : 0));
  append_hash(out, file.hash);
  append_le(out, (file.has_verification ? kHasVerification : 0) | (file.sha256 ? kHasMetadata : 0));
  append_le(out, static_cast<uint32_t>(file.terms.size()));
  append_zeros(out, 8);
  for (const auto& term : file.terms) {
    append_hash(out, term.xorb);
    append_zeros(out, 4);
    append_le(out, term.unpacked_len);
    append_le(out, term.chunk_begin);
    append_le(out, term.chunk_end);
  }
  for (const auto& range : file.verification) {
    append_hash(out, range);
    append_zeros(out, kRecordBytes - RangeHash::kSize);
  }
  if (file.sha256) {
    append_hash(out, *file.sha256);
    append_zeros(out, kRecordBytes - Sha256Digest::kSize);
  }
}

void append_xorb(ByteVector& out, const XorbRecord& xorb) {
  append_hash(out, xorb.hash);
  append_zeros(out, 4);
  append_le(out, static_cast<uint32_t>(xorb.chunks.size()));
  append_le(out, xorb.unpacked_bytes);
  append_le(out, xorb.packed_bytes);
  for (const auto& chunk : xorb.chunks) {
    append_hash(out, chunk.hash);
    append_le(out, chunk.unpacked_offset);
    append_le(out, chunk.len_bytes);
    append_le(out, chunk.flags);
    append_zeros(out, 4);
  }
}

void append_bookend(ByteVector& out) {
  out.insert(out.end(), 32, std::byte{0xFF});
  append_zeros(out, 16);
}

void Footer::append_to(ByteVector& out) const {
  append_le(out, kFooterVersion);
  for (const uint64_t field : {file_section, xorb_section, file_table, n_file_entries, xorb_table,
                               n_xorb_entries, chunk_table, n_chunk_entries}) {
    append_le(out, field);
  }
  append_hash(out, key);
  append_le(out, creation_s);
  append_le(out, expiry_s);
  append_zeros(out, kReservedFooterBytes);
  for (const uint64_t field : {stored_on_disk, materialised, stored, footer_offset}) append_le(out, field);
}

Result<Footer> Footer::parse(ByteSpan shard) {
  constexpr size_t kLeast = kHeaderBytes + 2 * kRecordBytes + kFooterBytes;
  if (shard.size() < kLeast) {
    return bad_shard(shard.size(), fmt::format("truncated: a shard has at least {} bytes", kLeast));
  }
  const size_t begin = shard.size() - kFooterBytes;
  ByteReader in(shard.last(kFooterBytes));
  XET_TRY(const auto version, in.le<uint64_t>());
  if (version != kFooterVersion) return bad_shard(begin, fmt::format("unknown footer version {}", version));
  Footer out;
  for (uint64_t* field : {&out.file_section, &out.xorb_section, &out.file_table, &out.n_file_entries,
                          &out.xorb_table, &out.n_xorb_entries, &out.chunk_table, &out.n_chunk_entries}) {
    XET_TRY(*field, in.le<uint64_t>());
  }
  XET_TRY(out.key, in.hash<HmacKey>());
  XET_TRY(out.creation_s, in.le<uint64_t>());
  XET_TRY(out.expiry_s, in.le<uint64_t>());
  XET_TRY_STATUS(in.take(kReservedFooterBytes));
  for (uint64_t* field : {&out.stored_on_disk, &out.materialised, &out.stored, &out.footer_offset}) {
    XET_TRY(*field, in.le<uint64_t>());
  }
  if (out.footer_offset != begin) {
    return bad_shard(begin + 192,
                     fmt::format("the footer says it is at {}, not {}", out.footer_offset, begin));
  }
  if (out.file_section != kHeaderBytes) {
    return bad_shard(begin + 8, fmt::format("file section at {}", out.file_section));
  }
  // A bookend before it, one of its own behind, and whole records between.
  const bool xorbs_inside = out.xorb_section >= kHeaderBytes + kRecordBytes &&
                            out.xorb_section <= begin - kRecordBytes &&
                            (out.xorb_section - kHeaderBytes) % kRecordBytes == 0;
  if (!xorbs_inside) return bad_shard(begin + 16, fmt::format("xorb section at {}", out.xorb_section));
  XET_TRY_STATUS(check_table(out.file_table, out.n_file_entries, kFileEntryBytes, out, begin + 24));
  XET_TRY_STATUS(check_table(out.xorb_table, out.n_xorb_entries, kXorbEntryBytes, out, begin + 40));
  XET_TRY_STATUS(check_table(out.chunk_table, out.n_chunk_entries, kChunkEntryBytes, out, begin + 56));
  return out;
}

}  // namespace xet::format::wire
