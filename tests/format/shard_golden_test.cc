#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "format/samples.h"
#include "format/shard_set.h"
#include "format/shard_view.h"
#include "hash/blake3.h"
#include "hash/sha256.h"
#include "support/matchers.h"
#include "support/temp_dir.h"

namespace xet::format {
namespace {

using nlohmann::json;
using testing::golden;
using testing::IsOk;

json describe(const Shard& shard) {
  json files = json::array(), xorbs = json::array();
  for (const auto& file : shard.files) {
    json terms = json::array(), verification = json::array();
    for (const auto& term : file.terms) {
      terms.push_back({term.xorb.hex(), term.unpacked_len, term.chunk_begin, term.chunk_end});
    }
    for (const auto& range : file.verification) verification.push_back(range.hex());
    files.push_back({{"hash", file.hash.hex()},
                     {"has_verification", file.has_verification},
                     {"terms", terms},
                     {"verification", verification},
                     {"sha256", file.sha256 ? json(file.sha256->hex()) : json()}});
  }
  for (const auto& xorb : shard.xorbs) {
    json chunks = json::array();
    for (const auto& chunk : xorb.chunks) {
      chunks.push_back({chunk.hash.hex(), chunk.unpacked_offset, chunk.len_bytes, chunk.flags});
    }
    xorbs.push_back({{"hash", xorb.hash.hex()},
                     {"unpacked_bytes", xorb.unpacked_bytes},
                     {"packed_bytes", xorb.packed_bytes},
                     {"chunks", chunks}});
  }
  json footer;
  if (shard.footer) {
    footer = {{"key", shard.footer->key.hex()},
              {"creation_s", shard.footer->creation_s},
              {"expiry_s", shard.footer->expiry_s},
              {"has_tables", shard.footer->has_tables}};
  }
  return {{"files", files}, {"xorbs", xorbs}, {"footer", footer}};
}

class GoldenShard : public ::testing::TestWithParam<const char*> {
 protected:
  ByteVector bytes() const { return golden(std::string("shard/") + GetParam() + ".bin"); }
};

TEST_P(GoldenShard, DecodesAsDescribedAndIsWrittenBackByteForByte) {
  const auto shard = Shard::parse(bytes());
  ASSERT_THAT(shard, IsOk());
  const std::string json_name = std::string("shard/") + GetParam() + ".json";
  if (std::getenv("XET_ACCEPT_GOLDEN") != nullptr) {
    testing::write_bytes(testing::test_data("golden") / json_name,
                         as_byte_span(describe(*shard).dump(1) + "\n"));
  }
  EXPECT_EQ(describe(*shard), json::parse(as_chars(golden(json_name))));
  EXPECT_EQ(shard->serialise(), bytes());
  EXPECT_TRUE(shard->is_sorted());
}

TEST_P(GoldenShard, TheViewFindsEveryRecord) {
  const ByteVector shard_bytes = bytes();
  const auto shard = Shard::parse(shard_bytes);
  const auto view = ShardView::open(shard_bytes);
  ASSERT_THAT(shard, IsOk());
  ASSERT_THAT(view, IsOk());
  EXPECT_EQ(view->footer(), shard->footer);
  for (const auto& file : shard->files) EXPECT_EQ(*view->find_file(file.hash), file);
  for (const auto& xorb : shard->xorbs) {
    EXPECT_EQ(*view->find_xorb(xorb.hash), xorb);
    for (const auto& chunk : xorb.chunks) EXPECT_GE(view->find_chunk(chunk.hash)->size(), 1U);
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, GoldenShard,
                         ::testing::Values("hello_upload", "hello_stored", "upload_1_8", "dedup_1_8",
                                           "edited_1_8", "upload_1_6", "dedup_1_6", "edited_1_6"));

Shard parsed(const char* name) {
  auto shard = Shard::parse(golden(name));
  EXPECT_THAT(shard, IsOk());
  return *std::move(shard);
}

TEST(GoldenShards, UploadAndStoredFormDifferByTablesAndFooter) {
  const Shard upload = parsed("shard/hello_upload.bin");
  const ByteVector stored = upload.to_stored_form({.has_tables = true});
  EXPECT_EQ(stored, golden("shard/hello_stored.bin"));
  EXPECT_EQ(hash::shard_hash(stored).hex(),
            "8656c9933ce2fd7838bb6490936dedcadd7fd208e1ded0f449b4e5292446a889");
  EXPECT_EQ(hash::shard_hash(upload.to_upload_form()).hex(),
            "2550e58abe76b2f5a8b7ea55f10ae81f884dd54c74996d6a5beaaed79fc200a5");
  EXPECT_EQ(upload.files[0].sha256->hex(),
            "7f83b1657ff1fc53b92dc18148a1d65dfc2d4b1fa3d677284addd200126d9069");
}

TEST(GoldenShards, TheServersAnswerIsTheUploadWithFlagsAndFooter) {
  Shard shard = parsed("shard/upload_1_8.bin");
  const ByteVector answer = golden("shard/dedup_1_8.bin");
  const Shard recorded = parsed("shard/dedup_1_8.bin");
  flag_first_chunks(shard);
  EXPECT_EQ(shard.to_stored_form(*recorded.footer), answer);
  EXPECT_EQ(hash::shard_hash(answer).hex(),
            "9ea2bc572265de691972d540e484d87cf9104d1f7c0c8e2dfa63edc2989aea41");
  std::vector<uint32_t> flagged;
  for (uint32_t i = 0; i < recorded.xorbs[0].chunks.size(); ++i) {
    if (recorded.xorbs[0].chunks[i].flags == kChunkIsDedupKey) flagged.push_back(i);
  }
  EXPECT_EQ(flagged, (std::vector<uint32_t>{0, 20, 41, 56, 57, 75}));
}

TEST(GoldenShards, AKeyedAnswerIsMadeAsGenuineClientsAcceptIt) {
  const Shard shard = parsed("shard/upload_1_8.bin");
  std::array<std::byte, 32> key;
  for (size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::byte>(i + 1);
  const auto answer = keyed_export(
      shard, {.key = HmacKey(key), .creation_s = 1750000000, .expiry_s = 1750604800, .has_tables = false});
  ASSERT_THAT(answer, IsOk());
  EXPECT_EQ(answer->size(), 4088U);
  EXPECT_EQ(hash::sha256(*answer).hex(), "95ce2bed5ae189e7379ce6d395dbcec264ae82f73ac3a51cb7a0a6177502107d");
  EXPECT_EQ(hash::shard_hash(*answer).hex(),
            "a9e5f247f62f5d8cfbfd02e39bd14ddfeec7e37fbd25079fc8304a5d824860d6");
  const auto view = ShardView::open(*answer);
  ASSERT_THAT(view, IsOk());
  EXPECT_TRUE(view->is_keyed());
  const ChunkHash first_of_random =
      *ChunkHash::from_hex("2520f307e75abcb6555d51e9019c4fb6eaa48883cb20c6fb5841450e5192f8b1");
  const auto places = view->find_chunk(first_of_random);  // edited.bin begins with it, random.bin too
  ASSERT_THAT(places, IsOk());
  EXPECT_EQ(*places, (std::vector<ShardView::ChunkPlace>{{0, 0}, {0, 20}}));
}

}  // namespace
}  // namespace xet::format
