#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "codec/crc64.h"
#include "codec/predictor.h"
#include "format/samples.h"
#include "format/xorb_check.h"
#include "format/xorb_stream.h"
#include "hash/sha256.h"
#include "support/matchers.h"

namespace xet::format {
namespace {

using nlohmann::json;
using testing::golden;
using testing::IsOk;

json facts(const std::string& name) {
  return json::parse(as_chars(golden("xorb/" + name + ".json")));
}

std::string hex(ByteSpan bytes) {
  std::string out;
  for (const std::byte byte : bytes) {
    for (const int shift : {4, 0}) out += "0123456789abcdef"[std::to_integer<int>(byte) >> shift & 15];
  }
  return out;
}

class SmallXorb : public ::testing::TestWithParam<const char*> {};

TEST_P(SmallXorb, DecodesAsDescribedAndIsRebuiltByteForByte) {
  const json expected = facts(GetParam());
  const ByteVector object = golden(std::string("xorb/") + GetParam() + ".bin");
  codec::Codec codec;
  const auto footer = check_xorb(object, *XorbHash::from_hex(expected["hash"].get<std::string>()), codec);
  ASSERT_THAT(footer, IsOk());
  EXPECT_EQ(json(footer->ends.packed_ends), expected["packed_ends"]);
  EXPECT_EQ(json(footer->ends.unpacked_ends), expected["unpacked_ends"]);
  for (size_t i = 0; i < footer->chunk_count(); ++i) {
    EXPECT_EQ(footer->chunk_hashes[i].hex(), expected["chunk_hashes"][i].get<std::string>());
  }
  ByteVector rebuilt(object.begin(), object.begin() + footer->ends.packed_size());
  footer->append_to(rebuilt);
  EXPECT_EQ(rebuilt, object);
}

INSTANTIATE_TEST_SUITE_P(Golden, SmallXorb, ::testing::Values("hello", "two_chunks"));

TEST(RecordedXorb, EveryChunkIsAsDescribed) {
  const json expected = facts("recorded");
  const ByteVector body = golden("xorb/recorded.bin");
  std::vector<StreamedChunk> found;
  std::string schemes;
  codec::Codec codec;
  XorbStreamReader reader(codec, XorbStreamReader::Footer::kForbidden,
                          [&](const StreamedChunk& chunk) -> Status {
                            found.push_back(chunk);
                            schemes += static_cast<char>('0' + static_cast<int>(chunk.header.scheme));
                            return {};
                          });
  ASSERT_THAT(reader.feed(body), IsOk());  // one piece: the encoded views stay valid
  const auto footer = reader.finish();
  ASSERT_THAT(footer, IsOk());
  EXPECT_EQ(footer->hash.hex(), expected["hash"].get<std::string>());
  EXPECT_EQ(footer->chunk_count(), expected["n_chunks"].get<size_t>());
  EXPECT_EQ(footer->ends.unpacked_size(), expected["unpacked_bytes"].get<size_t>());
  EXPECT_EQ(footer->ends.packed_size(), expected["packed_bytes"].get<size_t>());
  EXPECT_EQ(schemes, expected["schemes"].get<std::string>());
  for (const auto& row : expected["chunks"]) {
    const auto& chunk = found.at(row[0].get<size_t>());
    EXPECT_EQ(chunk.offset, row[1].get<size_t>());
    EXPECT_EQ(chunk.hash.hex(), row[2].get<std::string>());
    EXPECT_EQ(hex(chunk.encoded.first(8)), row[3].get<std::string>());
    EXPECT_EQ(static_cast<int>(chunk.header.scheme), row[4].get<int>());
    EXPECT_EQ(chunk.header.packed_len, row[5].get<size_t>());
    EXPECT_EQ(chunk.header.unpacked_len, row[6].get<size_t>());
  }
}

TEST(RecordedXorb, FooterAndChecksumsAreThoseOfTheGenuineProgram) {
  const json expected = facts("recorded");
  ByteVector object = golden("xorb/recorded.bin");
  EXPECT_EQ(std::to_string(codec::crc64(object)), expected["crc64"].get<std::string>());
  codec::Codec codec;
  const auto footer = rebuild_footer(object, codec);
  ASSERT_THAT(footer, IsOk());
  const size_t body_size = object.size();
  footer->append_to(object);
  const ByteSpan footer_bytes = ByteSpan(object).subspan(body_size);
  EXPECT_EQ(footer_bytes.size() - 4, expected["footer_bytes"].get<size_t>());
  EXPECT_EQ(hash::sha256(footer_bytes.first(footer_bytes.size() - 4)).hex(),
            expected["footer_sha256"].get<std::string>());
  EXPECT_EQ(hash::sha256(object).hex(), expected["object_sha256"].get<std::string>());
  EXPECT_THAT(check_xorb(object, footer->hash, codec), IsOk());
}

/// Cuts the recorded xorb into blocks of 32 chunks per file as the genuine client does, and expects its
/// choice of scheme for every chunk that it did compress.
TEST(RecordedXorb, TheReferencePredictorMakesTheSameChoices) {
  const json expected = facts("recorded");
  const ByteVector body = golden("xorb/recorded.bin");
  const auto boundaries = expected["file_boundaries"].get<std::vector<uint32_t>>();
  codec::Codec codec;
  auto block_scheme = codec::Scheme::kNone;
  uint32_t file_begin = 0;
  size_t n_compressed = 0;
  XorbStreamReader reader(codec, XorbStreamReader::Footer::kForbidden,
                          [&](const StreamedChunk& chunk) -> Status {
                            for (const uint32_t boundary : boundaries)
                              file_begin = boundary <= chunk.index ? boundary : file_begin;
                            if ((chunk.index - file_begin) % 32 == 0)
                              block_scheme = codec::reference_scheme(chunk.unpacked);
                            if (chunk.header.scheme != codec::Scheme::kNone) {
                              ++n_compressed;
                              EXPECT_EQ(chunk.header.scheme, block_scheme) << chunk.index;
                            }
                            return {};
                          });
  ASSERT_THAT(reader.feed(body), IsOk());
  EXPECT_EQ(n_compressed, 35U);
}

TEST(RecordedXorb, RepackedItIsNoLargerThanTheGenuineOne) {
  const ByteVector body = golden("xorb/recorded.bin");
  codec::Codec codec, packer;
  ByteVector out(max_encoded_chunk(kMaxChunkBytes));
  size_t repacked = 0;
  XorbStreamReader reader(codec, XorbStreamReader::Footer::kForbidden,
                          [&](const StreamedChunk& chunk) -> Status {
                            repacked += encode_chunk(chunk.unpacked, packer, out);
                            return {};
                          });
  ASSERT_THAT(reader.feed(body), IsOk());
  EXPECT_LE(static_cast<double>(repacked), 1.01 * static_cast<double>(body.size()));
}

}  // namespace
}  // namespace xet::format
