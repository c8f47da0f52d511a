#include "format/shard.h"

#include <fmt/format.h>

#include <algorithm>
#include <compare>

#include "format/shard_wire.h"

namespace xet::format {
namespace {

using wire::bad_shard;

Result<std::vector<FileRecord>> parse_files(ByteReader& in) {
  std::vector<FileRecord> files;
  for (;;) {
    XET_TRY(const auto header, wire::GroupHeader::parse(in));
    if (header.is_bookend) return files;
    XET_TRY(files.emplace_back(), wire::parse_file(header, in, 0));
  }
}

Result<std::vector<XorbRecord>> parse_xorbs(ByteReader& in) {
  std::vector<XorbRecord> xorbs;
  for (;;) {
    XET_TRY(const auto header, wire::GroupHeader::parse(in));
    if (header.is_bookend) return xorbs;
    XET_TRY(xorbs.emplace_back(), wire::parse_xorb(header, in, 0));
  }
}

void append_records(ByteVector& out, const Shard& shard, wire::Footer& layout) {
  layout.file_section = out.size();
  for (const auto& file : shard.files) {
    layout.materialised += file.size_bytes();
    wire::append_file(out, file);
  }
  wire::append_bookend(out);
  layout.xorb_section = out.size();
  for (const auto& xorb : shard.xorbs) {
    layout.stored += xorb.unpacked_bytes;
    layout.stored_on_disk += xorb.packed_bytes;
    wire::append_xorb(out, xorb);
  }
  wire::append_bookend(out);
}

uint32_t records_of(const FileRecord& file) {
  return static_cast<uint32_t>(1 + file.terms.size() + file.verification.size() + (file.sha256 ? 1 : 0));
}

struct ChunkEntry {
  uint64_t key = 0;
  uint32_t xorb_record = 0;
  uint32_t chunk_index = 0;
  auto operator<=>(const ChunkEntry&) const = default;  // equal keys stay in record order
};

void append_tables(ByteVector& out, const Shard& shard, wire::Footer& layout) {
  layout.file_table = out.size();
  layout.n_file_entries = shard.files.size();
  uint32_t record = 0;
  for (const auto& file : shard.files) {
    append_le(out, file.hash.word(0));
    append_le(out, record);
    record += records_of(file);
  }
  layout.xorb_table = out.size();
  layout.n_xorb_entries = shard.xorbs.size();
  std::vector<ChunkEntry> chunks;
  record = 0;
  for (const auto& xorb : shard.xorbs) {
    append_le(out, xorb.hash.word(0));
    append_le(out, record);
    for (uint32_t i = 0; i < xorb.chunks.size(); ++i)
      chunks.push_back({xorb.chunks[i].hash.word(0), record, i});
    record += static_cast<uint32_t>(1 + xorb.chunks.size());
  }
  std::ranges::sort(chunks);
  layout.chunk_table = out.size();
  layout.n_chunk_entries = chunks.size();
  for (const auto& entry : chunks) {
    append_le(out, entry.key);
    append_le(out, entry.xorb_record);
    append_le(out, entry.chunk_index);
  }
}

uint64_t record_bytes(const Shard& shard) {
  uint64_t size = kEmptyShardBytes;
  for (const auto& file : shard.files) size += shard_cost(file);
  for (const auto& xorb : shard.xorbs) size += shard_cost(xorb);
  return size;
}

}  // namespace

uint64_t FileRecord::size_bytes() const {
  uint64_t sum = 0;
  for (const auto& term : terms) sum += term.unpacked_len;
  return sum;
}

uint64_t shard_cost(const FileRecord& file) {
  return wire::kRecordBytes * uint64_t{records_of(file)} + wire::kFileEntryBytes;
}

uint64_t shard_cost(const XorbRecord& xorb) {
  return wire::kRecordBytes * (1 + uint64_t{xorb.chunks.size()}) + wire::kXorbEntryBytes +
         wire::kChunkEntryBytes * uint64_t{xorb.chunks.size()};
}

Result<Shard> Shard::parse(ByteSpan bytes) {
  ByteReader in(bytes);
  XET_TRY(const auto header, wire::Header::parse(in));
  Shard out;
  XET_TRY(out.files, parse_files(in));
  const size_t xorb_section = in.offset();
  XET_TRY(out.xorbs, parse_xorbs(in));
  if (header.footer_bytes == 0) {
    if (!in.at_end()) {
      return bad_shard(in.offset(), fmt::format("{} bytes behind a shard without footer", in.remaining()));
    }
    return out;
  }
  if (in.remaining() < wire::kFooterBytes) return bad_shard(in.offset(), "truncated: no room for the footer");
  XET_TRY(const auto footer, wire::Footer::parse(bytes));
  if (footer.xorb_section != xorb_section) {
    return bad_shard(xorb_section,
                     fmt::format("the xorb section, which the footer has at {}", footer.xorb_section));
  }
  out.footer = ShardFooter{footer.key, footer.creation_s, footer.expiry_s, footer.has_tables()};
  return out;
}

ByteVector Shard::to_upload_form() const {
  ByteVector out;
  out.reserve(record_bytes(*this));
  wire::Footer unused;
  wire::Header{0}.append_to(out);
  append_records(out, *this, unused);
  return out;
}

ByteVector Shard::to_stored_form(const ShardFooter& footer_options) const {
  ByteVector out;
  out.reserve(record_bytes(*this));
  wire::Footer layout;
  wire::Header{wire::kFooterBytes}.append_to(out);
  append_records(out, *this, layout);
  layout.file_table = layout.xorb_table = layout.chunk_table = out.size();
  if (footer_options.has_tables) append_tables(out, *this, layout);
  layout.key = footer_options.key;
  layout.creation_s = footer_options.creation_s;
  layout.expiry_s = footer_options.expiry_s;
  layout.footer_offset = out.size();
  layout.append_to(out);
  return out;
}

bool Shard::is_sorted() const {
  const auto rising = [](const auto& records) {
    return std::ranges::adjacent_find(
               records, [](const auto& a, const auto& b) { return a.hash >= b.hash; }) == records.end();
  };
  return rising(files) && rising(xorbs);
}

}  // namespace xet::format
