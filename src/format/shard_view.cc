#include "format/shard_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "format/shard_wire.h"
#include "hash/blake3.h"

namespace xet::format {
namespace {

using wire::bad_shard;
using wire::kRecordBytes;

template <std::unsigned_integral T>
T load(ByteSpan bytes, uint64_t at) {
  T value;
  std::memcpy(&value, bytes.subspan(static_cast<size_t>(at), sizeof value).data(), sizeof value);
  return from_little_endian(value);
}

ChunkHash keyed(const HmacKey& key, const ChunkHash& plain) {
  return key.is_zero() ? plain : hash::keyed_chunk_hash(key, plain);
}

}  // namespace

/// The header of one file or xorb, and the bytes of the records that follow it, inside the shard.
struct ShardView::Group {
  wire::GroupHeader header;
  uint64_t offset = 0;
  ByteSpan followers;  // of a bookend: none

  Result<FileRecord> file() const {
    ByteReader in(followers);
    return wire::parse_file(header, in, offset + kRecordBytes);
  }
  Result<XorbRecord> xorb() const {
    ByteReader in(followers);
    return wire::parse_xorb(header, in, offset + kRecordBytes);
  }
  ChunkHash chunk_hash(uint32_t i) const {
    return ChunkHash(followers.subspan(i * kRecordBytes).first<ChunkHash::kSize>());
  }
  uint32_t chunk_len(uint32_t i) const { return load<uint32_t>(followers, i * kRecordBytes + 36); }
};

Result<ShardView> ShardView::open(ByteSpan shard) {
  ByteReader in(shard);
  XET_TRY(const auto header, wire::Header::parse(in));
  ShardView view;
  view.bytes_ = shard;
  if (header.footer_bytes == 0) {
    XET_TRY_STATUS(view.find_sections_by_scan());
    return view;
  }
  XET_TRY(const auto footer, wire::Footer::parse(shard));
  view.footer_ = ShardFooter{footer.key, footer.creation_s, footer.expiry_s, footer.has_tables()};
  view.file_table_ = {footer.file_table, footer.n_file_entries, wire::kFileEntryBytes};
  view.xorb_table_ = {footer.xorb_table, footer.n_xorb_entries, wire::kXorbEntryBytes};
  view.chunk_table_ = {footer.chunk_table, footer.n_chunk_entries, wire::kChunkEntryBytes};
  view.files_ = {footer.file_section, footer.xorb_section};
  view.xorbs_ = {footer.xorb_section, footer.footer_offset};
  for (const auto& table : {view.file_table_, view.xorb_table_, view.chunk_table_}) {
    if (table.n_entries != 0) view.xorbs_.end = std::min(view.xorbs_.end, table.offset);
  }
  return view;
}

Status ShardView::find_sections_by_scan() {
  files_ = {wire::kHeaderBytes, bytes_.size()};
  uint64_t end = files_.begin;
  const auto remember_end = [&end](const Group& group) -> Result<bool> {
    end = group.offset + kRecordBytes + group.followers.size();
    return true;
  };
  XET_TRY_STATUS(for_each_group(files_, remember_end));
  files_.end = end + kRecordBytes;
  xorbs_ = {files_.end, bytes_.size()};
  return {};
}

uint64_t ShardView::record_offset(const Section& section, uint32_t record) const {
  return section.begin + uint64_t{record} * kRecordBytes;
}

Result<ShardView::Group> ShardView::group_at(const Section& section, uint64_t offset) const {
  if (offset < section.begin || offset > section.end || section.end - offset < kRecordBytes) {
    return bad_shard(offset, fmt::format("no record: the section ends at {}", section.end));
  }
  const ByteSpan rest =
      bytes_.subspan(static_cast<size_t>(offset), static_cast<size_t>(section.end - offset));
  ByteReader in(rest);
  Group group;
  XET_TRY(group.header, wire::GroupHeader::parse(in));
  group.offset = offset;
  if (group.header.is_bookend) return group;
  const bool is_file = section.begin == files_.begin;
  if (!is_file) XET_TRY_STATUS(wire::check_xorb_count(group.header, offset));
  const uint64_t n = is_file ? group.header.file_followers() : group.header.n_records;
  if (n > in.remaining() / kRecordBytes) {
    return bad_shard(offset, fmt::format("a group of {} records exceeds its section", n));
  }
  XET_TRY(group.followers, in.take(static_cast<size_t>(n) * kRecordBytes));
  return group;
}

/// Calls `visit` for the groups of a section until it returns false, or up to the bookend.
template <class Visit>
Status ShardView::for_each_group(const Section& section, Visit visit) const {
  for (uint64_t offset = section.begin;;) {
    XET_TRY(const Group group, group_at(section, offset));
    if (group.header.is_bookend) return {};
    XET_TRY(const bool go_on, visit(group));
    if (!go_on) return {};
    offset += kRecordBytes + group.followers.size();
  }
}

/// Calls `visit` with the offset of each table entry of this key until it returns false. A table that is not
/// sorted makes entries be missed, nothing worse.
template <class Visit>
Status ShardView::for_each_entry(const Table& table, uint64_t key, Visit visit) const {
  const auto offset_of = [&](uint64_t i) { return table.offset + i * table.entry_bytes; };
  uint64_t low = 0;
  uint64_t high = table.n_entries;
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    if (load<uint64_t>(bytes_, offset_of(middle)) < key) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  for (; low < table.n_entries && load<uint64_t>(bytes_, offset_of(low)) == key; ++low) {
    XET_TRY(const bool go_on, visit(offset_of(low)));
    if (!go_on) return {};
  }
  return {};
}

Result<std::optional<ShardView::Group>> ShardView::find_group(const Section& section, const Table& table,
                                                              std::span<const std::byte, 32> hash) const {
  std::optional<Group> found;
  const auto compare = [&](const Group& group) -> Result<bool> {
    if (!group.header.is_bookend && std::ranges::equal(group.header.hash, hash)) found = group;
    return !found.has_value();
  };
  if (table.n_entries == 0) {
    XET_TRY_STATUS(for_each_group(section, compare));
    return found;
  }
  const auto compare_entry = [&](uint64_t entry) -> Result<bool> {
    XET_TRY(const Group group, group_at(section, record_offset(section, load<uint32_t>(bytes_, entry + 8))));
    return compare(group);
  };
  XET_TRY_STATUS(for_each_entry(table, load<uint64_t>(hash, 0), compare_entry));
  return found;
}

Result<std::optional<FileRecord>> ShardView::find_file(const FileHash& hash) const {
  XET_TRY(const auto group, find_group(files_, file_table_, hash.raw()));
  if (!group) return std::nullopt;
  XET_TRY(FileRecord file, group->file());
  return file;
}

Result<std::optional<XorbRecord>> ShardView::find_xorb(const XorbHash& hash) const {
  XET_TRY(const auto group, find_group(xorbs_, xorb_table_, hash.raw()));
  if (!group) return std::nullopt;
  XET_TRY(XorbRecord xorb, group->xorb());
  return xorb;
}

Result<std::vector<ShardView::ChunkPlace>> ShardView::find_chunk(const ChunkHash& plain) const {
  const ChunkHash wanted = footer_ ? keyed(footer_->key, plain) : plain;
  std::vector<ChunkPlace> places;
  if (chunk_table_.n_entries == 0) {
    XET_TRY_STATUS(for_each_group(xorbs_, [&](const Group& group) -> Result<bool> {
      const auto record = static_cast<uint32_t>((group.offset - xorbs_.begin) / kRecordBytes);
      for (uint32_t i = 0; i < group.header.n_records && places.size() < kMaxPlaces; ++i) {
        if (group.chunk_hash(i) == wanted) places.push_back({record, i});
      }
      return places.size() < kMaxPlaces;
    }));
    return places;
  }
  XET_TRY_STATUS(for_each_entry(chunk_table_, wanted.word(0), [&](uint64_t entry) -> Result<bool> {
    const ChunkPlace place{load<uint32_t>(bytes_, entry + 8), load<uint32_t>(bytes_, entry + 12)};
    XET_TRY(const Group group, group_at(xorbs_, record_offset(xorbs_, place.xorb_record)));
    if (group.header.is_bookend || place.chunk_index >= group.header.n_records) {
      return bad_shard(entry, "a chunk table entry that points to no chunk");
    }
    if (group.chunk_hash(place.chunk_index) == wanted) places.push_back(place);
    return places.size() < kMaxPlaces;
  }));
  return places;
}

Result<ShardView::Run> ShardView::match_run(const ChunkPlace& place,
                                            std::span<const ChunkHash> wanted) const {
  XET_TRY(const Group group, group_at(xorbs_, record_offset(xorbs_, place.xorb_record)));
  if (group.header.is_bookend) return fail(ErrorCode::kInvalidArgument, "no xorb at this place of the shard");
  const HmacKey key = footer_ ? footer_->key : HmacKey();
  Run run{XorbHash(group.header.hash), place.chunk_index};
  uint64_t unpacked_len = 0;
  for (const auto& plain : wanted) {
    const uint64_t i = uint64_t{place.chunk_index} + run.n_chunks;
    if (i >= group.header.n_records) break;
    if (group.chunk_hash(static_cast<uint32_t>(i)) != keyed(key, plain)) break;
    unpacked_len += group.chunk_len(static_cast<uint32_t>(i));
    ++run.n_chunks;
  }
  if (unpacked_len > std::numeric_limits<uint32_t>::max()) {
    return bad_shard(group.offset, "chunk lengths that exceed every xorb");
  }
  run.unpacked_len = static_cast<uint32_t>(unpacked_len);
  return run;
}

Status ShardView::for_each_chunk(
    UniqueFunction<void(const ChunkPlace&, const ChunkHash& stored)> visit) const {
  return for_each_group(xorbs_, [&](const Group& group) -> Result<bool> {
    const auto record = static_cast<uint32_t>((group.offset - xorbs_.begin) / kRecordBytes);
    for (uint32_t i = 0; i < group.header.n_records; ++i) visit({record, i}, group.chunk_hash(i));
    return true;
  });
}

Status ShardView::for_each_xorb(UniqueFunction<void(const XorbRecord&)> visit) const {
  return for_each_group(xorbs_, [&](const Group& group) -> Result<bool> {
    XET_TRY(const XorbRecord xorb, group.xorb());
    visit(xorb);
    return true;
  });
}

Status ShardView::for_each_file(UniqueFunction<void(const FileRecord&)> visit) const {
  return for_each_group(files_, [&](const Group& group) -> Result<bool> {
    XET_TRY(const FileRecord file, group.file());
    visit(file);
    return true;
  });
}

}  // namespace xet::format
