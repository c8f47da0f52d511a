#include "chunk/chunker.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "chunk/reference.h"
#include "hash/blake3.h"
#include "hash/sha256.h"
#include "hash/tree.h"
#include "support/temp_dir.h"

namespace xet::chunk {
namespace {

using testing::ends_of;
using testing::random_bytes;
using testing::reference_cuts;
using testing::zeros_with_triggers;
using Numbers = std::vector<uint32_t>;

Numbers fed_in_steps(ByteSpan data, size_t step) {
  Numbers out;
  const auto add = [&](uint32_t length) { out.push_back(length); };
  Chunker chunker;
  for (size_t at = 0; at < data.size(); at += step) {
    chunker.feed(data.subspan(at, std::min(step, data.size() - at)), add);
  }
  chunker.finish(add);
  return out;
}

std::vector<hash::ChunkInfo> hashed(ByteSpan data, const Numbers& lengths) {
  std::vector<hash::ChunkInfo> out;
  for (const uint32_t length : lengths) {
    out.push_back({hash::chunk_hash(data.first(length)), length});
    data = data.subspan(length);
  }
  return out;
}

NodeHash aggregate_of(const std::vector<hash::ChunkInfo>& chunks) {
  return NodeHash(hash::xorb_hash(chunks));
}

ByteVector linear_bytes(size_t n, size_t a, size_t b) {
  ByteVector out(n);
  for (size_t i = 0; i < n; ++i) out[i] = static_cast<std::byte>(i * a + b);
  return out;
}

std::ifstream golden_table(const std::string& name) {
  std::ifstream in(testing::test_data("golden/chunking/" + name));
  std::string header;
  std::getline(in, header);
  EXPECT_TRUE(in) << name;
  return in;
}

TEST(Chunker, CutsPublishedRandomData) {
  const auto data = random_bytes(1000000, 0);
  ASSERT_EQ(hash::sha256(data).hex(), "b3d0a1f7938cd4d8413a4dcffd4313e2e8ac0cb61cb1090eb140ea8e9154befb");
  const auto lengths = chunk_lengths(data);
  EXPECT_EQ(ends_of(lengths),
            (Numbers{84493, 134421, 144853, 243318, 271793, 336457, 467529, 494581, 582000, 596735, 616815,
                     653164, 678202, 724510, 815591, 827760, 958832, 991092, 1000000}));

  const auto chunks = hashed(data, lengths);
  auto table = golden_table("random_1000000_seed0.tsv");
  size_t n = 0;
  uint32_t length = 0;
  std::string hex;
  for (; table >> length >> hex; ++n) {
    ASSERT_LT(n, chunks.size());
    EXPECT_EQ(chunks[n].len_bytes, length);
    EXPECT_EQ(chunks[n].hash.hex(), hex);
    EXPECT_EQ(hash::ends_group(NodeHash(chunks[n].hash)), n == 6 || n == 8 || n == 10 || n == 14) << n;
  }
  EXPECT_EQ(n, chunks.size());

  EXPECT_EQ(hash::xorb_hash(chunks).hex(),
            "6f2ce16ca5e317f0100ff0e7e5bf40a0de9032e9ee1ad04b6b8ff4e36cdfbf6c");
  EXPECT_EQ(hash::file_hash(chunks).hex(),
            "3d17b2d7d64a0e011b6717a52d9a16bd2c3f05b743fa8adf52a7d75dafab6d89");
  hash::RangeHasher range;
  for (const auto& chunk : chunks) range.add(chunk.hash);
  EXPECT_EQ(range.finish().hex(), "6daf15a7ed258b91f607e8f5e6723a8564292d12c8104c156f7bad9c255a0180");
}

TEST(Chunker, CutsConstantDataAtTheMaximum) {
  EXPECT_EQ(ends_of(chunk_lengths(ByteVector(1000000, std::byte{59}))),
            (Numbers{131072, 262144, 393216, 524288, 655360, 786432, 917504, 1000000}));
}

TEST(Chunker, CutsPublishedLinearData) {
  const auto small = linear_bytes(200000, 7, 13);
  auto lengths = chunk_lengths(small);
  EXPECT_EQ(lengths, (Numbers{131072, 68928}));
  auto chunks = hashed(small, lengths);
  EXPECT_EQ(chunks[0].hash.hex(), "118bbac5c38b2bca9c2b7ae8307786de066696b91b2b5ccb7dbbd4608c966882");
  EXPECT_EQ(chunks[1].hash.hex(), "7884d4de4bcc904767362a91e97eb6c2b6bc5f3a61b640d0cad8bb1129ff0827");
  EXPECT_EQ(hash::xorb_hash(chunks).hex(),
            "f0755d96ee199d4f01e83da9fe2c38353de7fd38fb79a320a7d50be510026f74");
  EXPECT_EQ(hash::file_hash(chunks).hex(),
            "d88d9e0b760f32c90b7c6592b4cb85251c01bb797371e3c637087b96ac578723");
  EXPECT_EQ(hash::range_hash(std::vector{chunks[0].hash, chunks[1].hash}).hex(),
            "82d580dd3896919ef870af78b2c7bd21e67e79777922bbc8cef1fc21630c308c");

  const auto big = linear_bytes(1000000, 13, 37);
  lengths = chunk_lengths(big);
  EXPECT_EQ(lengths, (Numbers{131072, 131072, 131072, 131072, 131072, 131072, 131072, 82496}));
  chunks = hashed(big, lengths);
  EXPECT_EQ(chunks[0].hash.hex(), "04f9c8e7fdedd05d7564ddf0753fd64d6d53e82ecc1a7eac214746357b8ea12d");
  EXPECT_EQ(chunks[6].hash, chunks[0].hash);
  EXPECT_EQ(chunks[7].hash.hex(), "292cd1a8102903e29f8d019257403812f9d35626cdff840e69850934718eb295");
  EXPECT_EQ(hash::xorb_hash(chunks).hex(),
            "7be289d851485c40dcde52dbcf37a7823a5ef0bfcdf1ca1c5a32ad9594c71571");
  EXPECT_EQ(hash::file_hash(chunks).hex(),
            "041a50f3639f4a080a89237025d643e2a3e22935ca5d7dbc1a38f5c1e859f859");
}

TEST(Chunker, IgnoresTriggersBelowTheMinimumInThePublishedCases) {
  auto table = golden_table("padded_pattern.tsv");
  size_t n_cases = 0;
  size_t pad = 0;
  unsigned sample = 0;
  for (; table >> pad >> sample; ++n_cases) {
    Numbers expected;
    while (expected.empty() || expected.back() != 65536) {
      ASSERT_TRUE(table >> expected.emplace_back());
    }
    const auto data = testing::padded_pattern(pad);
    ASSERT_EQ(std::to_integer<unsigned>(data[11111]), sample) << pad;
    EXPECT_EQ(ends_of(chunk_lengths(data)), expected) << pad;
  }
  EXPECT_EQ(n_cases, 128U);
}

struct RandomCase {
  size_t n;
  uint64_t seed;
  size_t n_chunks;
  std::string sha256, ends_digest, chunks_digest, aggregate, file_hash;
  std::vector<size_t> global_dedup_chunks;
};

void check_random_case(const RandomCase& expected) {
  const auto data = random_bytes(expected.n, expected.seed);
  ASSERT_EQ(hash::sha256(data).hex(), expected.sha256);
  const auto chunks = hashed(data, chunk_lengths(data));
  EXPECT_EQ(chunks.size(), expected.n_chunks);
  std::string ends;
  std::string lines;
  std::vector<size_t> global;
  size_t end = 0;
  for (size_t i = 0; i < chunks.size(); ++i) {
    end += chunks[i].len_bytes;
    ends += std::to_string(end) + "\n";
    lines += chunks[i].hash.hex() + " " + std::to_string(chunks[i].len_bytes) + "\n";
    if (chunks[i].hash.word(3) % 1024 == 0) global.push_back(i);
  }
  EXPECT_EQ(hash::sha256(as_byte_span(ends)).hex(), expected.ends_digest);
  EXPECT_EQ(hash::sha256(as_byte_span(lines)).hex(), expected.chunks_digest);
  EXPECT_EQ(aggregate_of(chunks).hex(), expected.aggregate);
  EXPECT_EQ(hash::file_hash(chunks).hex(), expected.file_hash);
  EXPECT_EQ(global, expected.global_dedup_chunks);
}

TEST(Chunker, CutsTwoHundredKilobytesOfRandomDataAsPublished) {
  check_random_case({256000,
                     1,
                     4,
                     "22d3f39abfecb364ec41629211c7671d633359667fa2b2395f2eb583c80ad374",
                     "faf15c2a3152e146527d32b7f6b59162d65ae6ed17a6f81eec4f981ba4579688",
                     "0cd03b488cade616abd34b1e2915075454811d501235cb293247fef5cbd075c7",
                     "335db8e272cac859dec35783bbc12c7f433bbcea50528d154cb07bf36888a51f",
                     "116cd39641ee392863a30c2a5bd6ab04676177a75604729bb98cfc4052fc3131",
                     {}});
}

TEST(Chunker, CutsTwentyMegabytesOfRandomDataAsPublished) {
  check_random_case({20000000,
                     2,
                     320,
                     "d10cbcddc1c255a204183f30e413bef5242218468ce1fc2274cd5f6b5bc14cab",
                     "00e27536b62a39987725559cf706ee7917c3533dd11b1580c84ced8b32a6f527",
                     "8896137b50e819c1df27618033e87726931a953544cd7633e1a28aaea5fbb2ab",
                     "207eb6c4b0c1e6f1ad183e635785dd59804dffade8a5c3b131a835847f9aa177",
                     "dd8aeeff06de1c998b2c8c1d387509e6ebd2b2275e3f62ffaac18ae668bb1d8e",
                     {}});
}

TEST(Chunker, CutsHundredMegabytesOfRandomDataAsPublished) {
  if (!testing::kFastBuild) GTEST_SKIP() << "100 MB in an instrumented build";
  check_random_case({100000000,
                     3,
                     1534,
                     "5e7d7aea7f1a615d695d52e57ebaa36d519a55860271474544e0bf5a4643386f",
                     "a655193d5825dd968205c7166b1e0e8b51741c5230d098db1375e8984f53ca72",
                     "d8350321b180dd2bf3c32967ab2a7941df5258a43a9d10623a95f3b5d180850e",
                     "0e2673b8fe137a8fad7661379503d2b552f7477f7910dfdbd2be1a7485c6364d",
                     "a81968ea9ecd8c060133fb5384e579455549a10324e719b2b37ee4b4adff6dd7",
                     {546, 1419}});
}

TEST(Chunker, GivesTheSameCutsForEveryFeedSize) {
  const std::vector<ByteVector> inputs = {
      random_bytes(1000000, 0), testing::text_bytes(400000, 1), testing::padded_pattern(35),
      testing::dense_bytes(300000),
      zeros_with_triggers(500000, {8191, 8192 + 131072, 8192 + 2 * 131072 - 1, 300000, 304000, 308300})};
  for (const auto& data : inputs) {
    const auto expected = reference_cuts(data);
    for (const size_t step : {1, 37, 63, 64, 65, 255, 777, 1000, 4096, 8127, 8128, 8129, 65536}) {
      EXPECT_EQ(ends_of(fed_in_steps(data, step)), expected) << step;
    }
    EXPECT_EQ(ends_of(chunk_lengths(data)), expected);
  }
}

TEST(Chunker, CutsAtTheMinimumAndTheMaximumExactly) {
  EXPECT_EQ(chunk_lengths(zeros_with_triggers(20000, {kMinChunk - 1})), (Numbers{20000}));
  EXPECT_EQ(chunk_lengths(zeros_with_triggers(20000, {kMinChunk})), (Numbers{kMinChunk, 20000 - kMinChunk}));
  EXPECT_EQ(chunk_lengths(zeros_with_triggers(20000, {kMinChunk + 1})),
            (Numbers{kMinChunk + 1, 20000 - kMinChunk - 1}));
  EXPECT_EQ(chunk_lengths(zeros_with_triggers(140000, {kMaxChunk - 1})),
            (Numbers{kMaxChunk - 1, 140000 - kMaxChunk + 1}));
  EXPECT_EQ(chunk_lengths(zeros_with_triggers(140000, {kMaxChunk})),
            (Numbers{kMaxChunk, 140000 - kMaxChunk}));
  EXPECT_EQ(chunk_lengths(zeros_with_triggers(140000, {kMaxChunk + 1})),
            (Numbers{kMaxChunk, 140000 - kMaxChunk}))
      << "too near to the forced cut";
}

TEST(Chunker, CutsDenseDataAtTheFirstTriggerAllowed) {
  const auto data = testing::dense_bytes(100000);
  const auto lengths = chunk_lengths(data);
  EXPECT_EQ(ends_of(lengths), reference_cuts(data));
  for (size_t i = 0; i + 1 < lengths.size(); ++i) EXPECT_LE(lengths[i], kMinChunk + 2);
}

TEST(Chunker, GivesNoChunkForNoBytesAndOneForFew) {
  EXPECT_EQ(chunk_lengths({}), Numbers{});
  const auto data = random_bytes(8191, 4);
  for (const uint32_t n : {1U, 2U, 63U, 64U, 65U, 8127U, 8128U, 8191U}) {
    EXPECT_EQ(chunk_lengths(ByteSpan(data).first(n)), Numbers{n});
  }
}

TEST(Chunker, HasNothingLeftWhenTheFileEndsWithACut) {
  EXPECT_EQ(chunk_lengths(ByteVector(2 * kMaxChunk)), (Numbers{kMaxChunk, kMaxChunk}));
  EXPECT_EQ(chunk_lengths(zeros_with_triggers(9000, {9000})), Numbers{9000});
}

TEST(Chunker, StartsAfreshAfterFinish) {
  const auto data = random_bytes(300000, 6);
  Numbers got;
  const auto add = [&](uint32_t length) { got.push_back(length); };
  Chunker chunker;
  chunker.feed(ByteSpan(data).first(8150), add);  // in the middle of the warm-up
  EXPECT_EQ(chunker.open_bytes(), 8150U);
  chunker.finish(add);
  EXPECT_EQ(got, Numbers{8150});
  got.clear();
  chunker.feed(data, add);
  chunker.finish(add);
  EXPECT_EQ(got, chunk_lengths(data));
}

}  // namespace
}  // namespace xet::chunk
