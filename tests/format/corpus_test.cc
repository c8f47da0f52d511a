// The seeds that fuzzing starts from, one per interesting shape, written by our own writers
// (XET_ACCEPT_GOLDEN=1 writes them anew). Other inputs beside them, found by fuzzing, are left alone.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "format/samples.h"
#include "format/shard_set.h"
#include "format/xorb_check.h"
#include "support/generators.h"
#include "support/matchers.h"
#include "support/temp_dir.h"

namespace xet::format {
namespace {

using testing::IsOk;

/// Writes the seed when goldens are accepted; gives what is in the file.
ByteVector seed(const std::string& target, const std::string& name, const ByteVector& bytes) {
  const auto folder = testing::test_data("..") / "fuzz" / "corpus" / target;
  if (std::getenv("XET_ACCEPT_GOLDEN") != nullptr) {
    std::filesystem::create_directories(folder);
    testing::write_bytes(folder / name, bytes);
  }
  return testing::read_bytes(folder / name);
}

/// 300 bytes that every scheme makes smaller.
ByteVector stairs() {
  ByteVector out(300);
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::byte>(i / 20);
  return out;
}

TEST(FuzzSeeds, Shards) {
  const Shard shard = testing::sample_shard(4, 2, 1);
  const HmacKey key(testing::random_hash(1));
  EXPECT_THAT(Shard::parse(seed("shard", "upload", shard.to_upload_form())), IsOk());
  EXPECT_THAT(Shard::parse(seed("shard", "stored", shard.to_stored_form({.has_tables = true}))), IsOk());
  EXPECT_THAT(Shard::parse(seed("shard", "minimal", shard.to_stored_form({.creation_s = 1}))), IsOk());
  EXPECT_THAT(Shard::parse(seed("shard", "keyed", *keyed_export(shard, {.key = key, .expiry_s = 9}))),
              IsOk());
  EXPECT_THAT(Shard::parse(seed("shard", "empty", Shard().to_upload_form())), IsOk());
}

TEST(FuzzSeeds, Xorbs) {
  codec::Codec codec;
  ByteVector body, buffer(1024);
  for (const auto policy : {codec::Policy::kNone, codec::Policy::kLz4, codec::Policy::kBg4Lz4}) {
    const ByteVector chunk = stairs();
    append_bytes(body, ByteSpan(buffer).first(encode_chunk(chunk, policy, codec, buffer)));
  }
  ByteVector object = body;
  rebuild_footer(body, codec)->append_to(object);
  EXPECT_THAT(rebuild_footer(seed("xorb", "body", body), codec), IsOk());
  EXPECT_THAT(rebuild_footer(seed("xorb", "object", object), codec), IsOk());
}

TEST(FuzzSeeds, ChunksAndFrames) {
  codec::Codec codec;
  ByteVector buffer(1024);
  for (const auto& [name, scheme] : {std::pair{"none", codec::Scheme::kNone},
                                     {"lz4", codec::Scheme::kLz4},
                                     {"bg4", codec::Scheme::kBg4Lz4}}) {
    const ByteVector chunk = stairs();
    const size_t n = encode_chunk(chunk, scheme, codec, buffer);
    const ByteVector encoded =
        seed("chunk_header", name, {buffer.begin(), buffer.begin() + static_cast<ptrdiff_t>(n)});
    const auto header = ChunkHeader::parse(ByteSpan(encoded).first<8>());
    ASSERT_THAT(header, IsOk());
    if (scheme == codec::Scheme::kNone) continue;
    // The unpacked length in three bytes, as in the header, then the frame.
    const ByteVector frame(encoded.begin() + 5, encoded.end());
    const ByteVector found = seed("lz4_bg4", name, frame);
    ByteVector content(300);
    EXPECT_THAT(codec::Lz4::decompress(ByteSpan(found).subspan(3), content), IsOk());
  }
}

}  // namespace
}  // namespace xet::format
