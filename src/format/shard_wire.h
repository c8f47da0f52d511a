#pragma once

#include <array>
#include <cstdint>

#include "format/shard.h"

// The records of a shard as bytes. For the shard files of this folder only.

namespace xet::format::wire {

inline constexpr size_t kHeaderBytes = 48;
inline constexpr size_t kRecordBytes = 48;
inline constexpr size_t kFooterBytes = 200;
inline constexpr size_t kFileEntryBytes = 12;  // lookup tables: files and xorbs
inline constexpr size_t kXorbEntryBytes = 12;
inline constexpr size_t kChunkEntryBytes = 16;

/// Puts "shard: … at offset …" together.
tl::unexpected<Error> bad_shard(uint64_t offset, std::string_view what);

/// The 48 bytes at the start. `footer_bytes` is 200, or 0 in the upload form.
struct Header {
  uint64_t footer_bytes = 0;
  void append_to(ByteVector& out) const;
  static Result<Header> parse(ByteReader& in);
};

/// First record of a file's or xorb's group; or the bookend that ends a section.
struct GroupHeader {
  std::array<std::byte, 32> hash;
  uint32_t flags = 0;
  uint32_t n_records = 0;  // segments of a file, chunks of a xorb
  uint32_t word_40 = 0;    // xorb: uncompressed bytes
  uint32_t word_44 = 0;    // xorb: packed bytes
  bool is_bookend = false;

  bool has_verification() const { return (flags & 0x80000000U) != 0; }
  bool has_metadata() const { return (flags & 0x40000000U) != 0; }
  /// Records that follow this one in the group of a file.
  uint64_t file_followers() const {
    return uint64_t{n_records} * (has_verification() ? 2 : 1) + (has_metadata() ? 1 : 0);
  }
  static Result<GroupHeader> parse(ByteReader& in);
};

/// Files: parse the group behind its header. `base` is the offset of the reader's start in the shard, for
/// messages. The followers must be in the reader.
Result<FileRecord> parse_file(const GroupHeader& header, ByteReader& in, uint64_t base);
Result<XorbRecord> parse_xorb(const GroupHeader& header, ByteReader& in, uint64_t base);
/// kCorruption when a xorb announces more chunks than the format allows; before anything is reserved for it.
Status check_xorb_count(const GroupHeader& header, uint64_t offset);

void append_file(ByteVector& out, const FileRecord& file);
void append_xorb(ByteVector& out, const XorbRecord& xorb);
void append_bookend(ByteVector& out);

/// The footer with the layout that ShardFooter leaves out.
struct Footer {
  uint64_t file_section = 0;
  uint64_t xorb_section = 0;
  uint64_t file_table = 0, n_file_entries = 0;
  uint64_t xorb_table = 0, n_xorb_entries = 0;
  uint64_t chunk_table = 0, n_chunk_entries = 0;
  HmacKey key;
  uint64_t creation_s = 0;
  uint64_t expiry_s = 0;
  uint64_t stored_on_disk = 0;  // sums, written and not relied on
  uint64_t materialised = 0;
  uint64_t stored = 0;
  uint64_t footer_offset = 0;

  bool has_tables() const { return n_file_entries + n_xorb_entries + n_chunk_entries != 0; }
  void append_to(ByteVector& out) const;
  /// Reads the last 200 bytes of `shard` and checks the layout against its size.
  static Result<Footer> parse(ByteSpan shard);
};

}  // namespace xet::format::wire
