// Broken files under tests/golden/*/bad. Those of the tables here are made from good ones by one change each
// (XET_ACCEPT_GOLDEN=1 writes them); crashes that fuzzing finds are put beside them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <functional>

#include "format/samples.h"
#include "format/shard.h"
#include "format/shard_view.h"
#include "format/xorb_check.h"
#include "support/generators.h"
#include "support/matchers.h"
#include "support/temp_dir.h"

namespace xet::format {
namespace {

using testing::FailsWith;
using testing::golden;
using testing::poke;

struct Broken {
  std::string name;
  std::string says;  // part of the message
  std::function<void(ByteVector&)> change;
};

void check_table(const std::string& folder, const ByteVector& good, const std::vector<Broken>& table,
                 const std::function<Status(ByteSpan)>& read) {
  ASSERT_TRUE(read(good).has_value());
  const auto directory = testing::test_data("golden") / folder / "bad";
  for (const auto& row : table) {
    const auto path = directory / (row.name + ".bin");
    if (std::getenv("XET_ACCEPT_GOLDEN") != nullptr) {
      ByteVector bytes = good;
      row.change(bytes);
      testing::write_bytes(path, bytes);
    }
    EXPECT_THAT(read(testing::read_bytes(path)), FailsWith(ErrorCode::kCorruption, row.says)) << row.name;
  }
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    EXPECT_THAT(read(testing::read_bytes(entry.path())), FailsWith(ErrorCode::kCorruption)) << entry.path();
  }
}

// The good object: body 26 bytes (two chunks of 5), footer from 26 to 198, length field.
TEST(Rejects, Xorbs) {
  const ByteVector good = golden("xorb/two_chunks.bin");
  const XorbHash name = XorbFooter::parse_tail(good, good.size())->hash;
  const std::vector<Broken> table = {
      {"footer_length_huge", "announces a footer", [](ByteVector& b) { poke(b, 198, 0xFFFFFFFF); }},
      {"footer_length_short", "identifier", [](ByteVector& b) { poke(b, 198, 171); }},
      {"footer_version_2", "unknown version 2", [](ByteVector& b) { poke(b, 26 + 7, 2, 1); }},
      {"hash_section_version", "section version 1", [](ByteVector& b) { poke(b, 26 + 47, 1, 1); }},
      {"hash_count_huge", "chunks, at most", [](ByteVector& b) { poke(b, 26 + 48, 0x7FFFFFFF); }},
      {"hash_count_beyond_input", "exceeds the footer", [](ByteVector& b) { poke(b, 26 + 48, 8000); }},
      {"boundary_identifier", "XBLBBND", [](ByteVector& b) { b[26 + 52 + 64] = std::byte{'Y'}; }},
      {"boundary_section_version", "section version 0",
       [](ByteVector& b) { poke(b, 26 + 52 + 64 + 7, 0, 1); }},
      {"boundary_count_differs", "chunk count", [](ByteVector& b) { poke(b, 26 + 60 + 64, 1); }},
      {"packed_end_falls", "end of chunk 1", [](ByteVector& b) { poke(b, 26 + 64 + 64 + 4, 5); }},
      {"packed_end_shifted", "packed end", [](ByteVector& b) { poke(b, 26 + 64 + 64, 14); }},
      {"unpacked_end_shifted", "uncompressed length", [](ByteVector& b) { poke(b, 26 + 64 + 72, 6); }},
      {"last_count_differs", "chunk count", [](ByteVector& b) { poke(b, 26 + 144, 3); }},
      {"hash_distance_wrong", "distance of the hash", [](ByteVector& b) { poke(b, 26 + 148, 131); }},
      {"boundary_distance_wrong", "distance of the boundary", [](ByteVector& b) { poke(b, 26 + 152, 55); }},
      {"trailing_byte", "", [](ByteVector& b) { b.push_back(std::byte{0}); }},
      {"truncated", "", [](ByteVector& b) { b.pop_back(); }},
      {"gap_before_footer", "footer begins", [](ByteVector& b) { b.insert(b.begin() + 26, std::byte{0}); }},
      {"chunk_changed", "hash", [](ByteVector& b) { b[9] ^= std::byte{1}; }},
      {"chunk_hash_changed", "hash", [](ByteVector& b) { b[26 + 52] ^= std::byte{1}; }},
      {"xorb_hash_changed", "its chunks make", [](ByteVector& b) { b[26 + 8] ^= std::byte{1}; }},
      {"chunk_scheme_99", "scheme 99", [](ByteVector& b) { poke(b, 4, 99, 1); }},
      {"chunk_version_1", "version 1", [](ByteVector& b) { poke(b, 13, 1, 1); }},
      {"chunk_length_differs", "announced", [](ByteVector& b) { poke(b, 5, 4, 3); }},
      {"chunk_payload_too_long", "payload of", [](ByteVector& b) { poke(b, 1, 262145, 3); }},
      {"chunk_not_lz4", "magic", [](ByteVector& b) { poke(b, 4, 1, 1); }},
  };
  codec::Codec codec;
  check_table("xorb", good, table, [&](ByteSpan bytes) -> Status {
    XET_TRY_STATUS(check_xorb(bytes, name, codec));
    return {};
  });
}

// The good shard: header, file group at 48 (header, segment, verification, metadata), bookend at 240, xorb
// group at 288, bookend at 384, tables from 432, footer at 472, end at 672.
TEST(Rejects, Shards) {
  const ByteVector good = golden("shard/hello_stored.bin");
  const std::vector<Broken> table = {
      {"tag", "no shard tag", [](ByteVector& b) { b[20] ^= std::byte{1}; }},
      {"header_version", "unknown version 3", [](ByteVector& b) { poke(b, 32, 3, 8); }},
      {"header_footer_size", "footer of 201", [](ByteVector& b) { poke(b, 40, 201, 8); }},
      {"bytes_behind_upload_form", "behind a shard", [](ByteVector& b) { poke(b, 40, 0, 8); }},
      {"file_segments_beyond_input", "segments exceeds", [](ByteVector& b) { poke(b, 48 + 36, 0xFFFFFFFF); }},
      {"segment_empty", "segment of chunks", [](ByteVector& b) { poke(b, 96 + 44, 0); }},
      {"segment_beyond_xorb_limit", "segment of chunks", [](ByteVector& b) { poke(b, 96 + 44, 8193); }},
      {"segment_too_long", "segment of", [](ByteVector& b) { poke(b, 96 + 36, 0x80000000); }},
      {"no_file_bookend", "", [](ByteVector& b) { poke(b, 240, 0, 8); }},
      {"xorb_too_many_chunks", "at most 8192", [](ByteVector& b) { poke(b, 288 + 36, 8193); }},
      {"xorb_chunks_beyond_input", "exceeds the input", [](ByteVector& b) { poke(b, 288 + 36, 8192); }},
      {"chunk_offset", "begins at 1", [](ByteVector& b) { poke(b, 336 + 32, 1); }},
      {"chunk_too_long", "chunk 0 of", [](ByteVector& b) { poke(b, 336 + 36, 131073); }},
      {"xorb_sum_differs", "in a xorb of 13", [](ByteVector& b) { poke(b, 288 + 40, 13); }},
      {"footer_version", "footer version 2", [](ByteVector& b) { poke(b, 472, 2, 8); }},
      {"file_section_offset", "file section at", [](ByteVector& b) { poke(b, 480, 96, 8); }},
      {"xorb_section_offset", "xorb section", [](ByteVector& b) { poke(b, 488, 240, 8); }},
      {"file_table_beyond_end", "table of", [](ByteVector& b) { poke(b, 472 + 24, uint64_t{1} << 60, 8); }},
      {"xorb_table_count_huge", "table of", [](ByteVector& b) { poke(b, 472 + 48, ~uint64_t{0}, 8); }},
      {"chunk_table_beyond_footer", "table of", [](ByteVector& b) { poke(b, 472 + 64, 2, 8); }},
      {"footer_offset", "footer says", [](ByteVector& b) { poke(b, 664, 471, 8); }},
      {"truncated", "", [](ByteVector& b) { b.pop_back(); }},
      {"trailing_byte", "", [](ByteVector& b) { b.push_back(std::byte{0}); }},
  };
  check_table("shard", good, table, [](ByteSpan bytes) -> Status {
    XET_TRY_STATUS(Shard::parse(bytes));
    return {};
  });
}

}  // namespace
}  // namespace xet::format
