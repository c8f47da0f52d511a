#include "hash/blake3.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "hash/tree.h"
#include "support/generators.h"
#include "support/temp_dir.h"

namespace xet::hash {
namespace {

/// Comparing a string with a json value is ambiguous in C++20.
std::string text_of(const nlohmann::json& value) {
  return value.get<std::string>();
}

ChunkHash parse(std::string_view hex) {
  return ChunkHash::from_hex(hex).value();
}

TEST(ChunkHash, GivesThePublishedValues) {
  EXPECT_EQ(chunk_hash(as_byte_span("Hello World!")).hex(),
            "d8d408e608fb9ca213b9909a65d86d725f2de4d8d540324be8a363e7a6e228cb");
  EXPECT_EQ(chunk_hash(as_byte_span("hello")).hex(),
            "9076ba12d998050b9c95c8bf770f943e6cad55c7490a82b76cf1582a2a05c2c2");
  EXPECT_EQ(chunk_hash(as_byte_span("world")).hex(),
            "3b347a3271a408d5436903ec6792ff7e4c6008ed58e010d533e4298987894089");
  EXPECT_EQ(chunk_hash(as_byte_span("a")).hex(),
            "a4d4ed80fcb2fe5177fc59321d3e6f90faf23e35a48d58303114bf073f34178a");
  EXPECT_EQ(chunk_hash(as_byte_span("chunk1")).hex(),
            "c28f58387a60d4aa200c311cda7c7f77f686614864f5869eadebf765d0a14a69");
  EXPECT_EQ(chunk_hash(as_byte_span("chunk2")).hex(),
            "6e4e3263e073ce2c0e78cc770c361e2778db3b054b98ab65e277fc084fa70f22");
  EXPECT_EQ(chunk_hash(ByteVector(1)).hex(),
            "df93298cdbf67cd507aed28d6290c0cf7f9aa0aa88dfa629cffcf98680659410");
  EXPECT_EQ(chunk_hash(ByteVector(131072)).hex(),
            "2e39f13c248013b27e22913ba2893a654120ed0ad8eb7ecbf3f05b9d708634fc");
  EXPECT_EQ(chunk_hash({}).hex(), "e0f2cf784e7e5f10c34f84af150e9a5ff9664216debad915364d741049870f67");
}

TEST(ChunkHash, DependsOnNoAlignment) {
  const auto data = testing::random_bytes(70000, 8);
  const ByteVector aligned(data.begin() + 3, data.end());
  EXPECT_EQ(chunk_hash(ByteSpan(data).subspan(3)), chunk_hash(aligned));
}

TEST(RangeHash, GivesThePublishedValues) {
  EXPECT_EQ(range_hash({}).hex(), "b81ce0cc7ce434c719c5f31801bc0825ead2a9ebae7419605afc00726961e5d9");
  EXPECT_EQ(range_hash(std::vector{chunk_hash(as_byte_span("Hello World!"))}).hex(),
            "89cb63458e98cb4c75be6b50a5a7b7234b82f05d5348e6925fb71aaf5dc3862b");
  EXPECT_EQ(
      range_hash(std::vector{chunk_hash(as_byte_span("chunk1")), chunk_hash(as_byte_span("chunk2"))}).hex(),
      "eb06a8ad81d588ac05d1d9a079232d9c1e7d0b07232fa58091caa7bf333a2768");
  EXPECT_EQ(
      range_hash(std::vector{chunk_hash(as_byte_span("hello")), chunk_hash(as_byte_span("world"))}).hex(),
      "c47772b645c4fe0d334cd021861ff8ea2cf4fe1d6ade82892c681ced257840e3");
}

TEST(RangeHasher, EqualsTheWholeAndStartsAfreshAfterFinish) {
  std::vector<ChunkHash> hashes;
  RangeHasher hasher;
  for (uint64_t i = 0; i < 100; ++i) {
    hashes.emplace_back(testing::random_hash(i));
    hasher.add(hashes.back());
  }
  const auto expected = range_hash(hashes);
  EXPECT_EQ(hasher.finish(), expected);
  EXPECT_EQ(hasher.finish(), range_hash({}));
  RangeHasher moved = std::move(hasher);
  for (const auto& hash : hashes) moved.add(hash);
  EXPECT_EQ(moved.finish(), expected);
}

TEST(ShardHasher, EqualsTheWholeForEverySplit) {
  const auto data = testing::random_bytes(10000, 12);
  const auto expected = shard_hash(data);
  EXPECT_EQ(ChunkHash(expected), chunk_hash(data)) << "one key for both";
  ShardHasher hasher;
  for (const size_t step : {1, 7, 64, 1024, 5000, 10000}) {
    for (size_t at = 0; at < data.size(); at += step) {
      hasher.add(ByteSpan(data).subspan(at, std::min(step, data.size() - at)));
    }
    EXPECT_EQ(hasher.finish(), expected) << step;
  }
}

TEST(KeyedChunkHash, GivesThePublishedValues) {
  const auto key =
      HmacKey::from_hex("abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789").value();
  EXPECT_EQ(
      keyed_chunk_hash(key, parse("118bbac5c38b2bca9c2b7ae8307786de066696b91b2b5ccb7dbbd4608c966882")).hex(),
      "1e1f5ae2bae99fe030647a14a8c5fe6cdce57826387a7552236dfbebed533e04");
  const auto other =
      HmacKey::from_hex("d6834b04843aaf16f29903e2428a99be635099f9ea5056cc4e95e7ec8a41509f").value();
  EXPECT_EQ(keyed_chunk_hash(other, parse("9502eec19d4b0c9f7b389228fa801f68ecdf15d69ccd1da2f9ddbd0219898335"))
                .hex(),
            "81b34a5179857460a1a5ba079fcf7231c307a19940ccb769e49240df5ec6c466");
}

TEST(KeyedChunkHash, AgreesWithTheGoldenKey) {
  std::ifstream in(testing::test_data("golden/hashing/tree.json"));
  const auto golden = nlohmann::json::parse(in)["keyed"];
  const auto key = HmacKey::from_hex(golden["key_string"].get<std::string>()).value();
  const auto hash = parse(golden["hash"].get<std::string>());
  EXPECT_EQ(key.raw()[0], std::byte{1});
  EXPECT_EQ(key.raw()[31], std::byte{32});
  EXPECT_EQ(keyed_chunk_hash(key, hash).hex(), text_of(golden["keyed_hash"]));
}

TEST(FileHash, OfTheEmptyFileIsZeroWithoutSalt) {
  EXPECT_TRUE(file_hash({}).is_zero());
  EXPECT_EQ(detail::salted_file_hash(NodeHash{}).hex(),
            "638a6bc391964a85939d48f008e8bdbae6a7975e7ca2d87a3ce2492f4e4d8a4c");
  EXPECT_EQ(file_hash(std::vector{ChunkInfo{chunk_hash(as_byte_span("Hello World!")), 12}}).hex(),
            "a9dae0ad88b060bdd7e7c87abdcf95b132c95a0414b06d4f6beb68d287b87165");
}

}  // namespace
}  // namespace xet::hash
