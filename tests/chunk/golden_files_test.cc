// Files that the genuine client chunked and hashed: tests/golden/chunking.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>

#include "chunk/chunker.h"
#include "chunk/reference.h"
#include "hash/blake3.h"
#include "hash/sha256.h"
#include "hash/tree.h"
#include "support/temp_dir.h"

namespace xet::chunk {
namespace {

using nlohmann::json;
using testing::random_bytes;

/// Comparing a string with a json value is ambiguous in C++20.
std::string text_of(const nlohmann::json& value) {
  return value.get<std::string>();
}

std::vector<hash::ChunkInfo> chunks_of(ByteSpan data) {
  std::vector<hash::ChunkInfo> out;
  const auto run_all = [](size_t n, const std::function<void(size_t)>& task) {
    while (n-- > 0) task(n);
  };
  for (const uint32_t length : parallel_chunk_lengths(data, 1 << 20, run_all)) {
    out.push_back({hash::chunk_hash(data.first(length)), length});
    data = data.subspan(length);
  }
  return out;
}

/// The seven files of the recorded exchanges.
std::map<std::string, ByteVector> recorded_files() {
  std::map<std::string, ByteVector> out;
  const auto random = random_bytes(1500000, 1);
  auto floats = random_bytes(1200000, 2);
  for (size_t i = 3; i < floats.size(); i += 4) floats[i] = std::byte{0x3c} | (floats[i] & std::byte{3});
  std::vector<std::string> words;
  for (uint64_t i = 0; i < 300; ++i) {
    std::string word;
    for (const auto byte : random_bytes(3 + i % 7, 100 + i)) {
      word += "0123456789abcdef"[std::to_integer<int>(byte >> 4)];
      word += "0123456789abcdef"[std::to_integer<int>(byte & std::byte{15})];
    }
    words.push_back(word);
  }
  std::string text;
  const auto picks = random_bytes(200000, 3);
  for (size_t i = 0; i < picks.size(); i += 2) {
    text += words[(std::to_integer<size_t>(picks[i]) + 256 * std::to_integer<size_t>(picks[i + 1])) % 300];
    text += ' ';
  }
  ByteVector edited(random.begin(), random.begin() + 400000);
  append_bytes(edited, as_byte_span("a small insertion"));
  edited.insert(edited.end(), random.begin() + 400000, random.begin() + 1100000);
  append_bytes(edited, random_bytes(300000, 4));

  const auto text_bytes = as_byte_span(text).first(900000);
  const auto tiny = as_byte_span("hello xet\n");
  out["random.bin"] = random;
  out["floats.bin"] = floats;
  out["text.txt"] = {text_bytes.begin(), text_bytes.end()};
  out["edited.bin"] = edited;
  out["zeros.bin"] = ByteVector(1000000);
  out["empty.bin"] = {};
  out["tiny.txt"] = {tiny.begin(), tiny.end()};
  return out;
}

json golden_files() {
  std::ifstream in(testing::test_data("golden/chunking/files.json"));
  return json::parse(in);
}

TEST(GoldenFiles, ChunksTriggersLevelsAndRootsAgree) {
  const auto golden = golden_files()["files"];
  const auto files = recorded_files();
  ASSERT_EQ(golden.size(), files.size());
  for (const auto& [name, data] : files) {
    SCOPED_TRACE(name);
    const auto& expected = golden[name];
    ASSERT_EQ(hash::sha256(data).hex(), text_of(expected["sha256"]));
    const auto chunks = chunks_of(data);
    EXPECT_EQ(hash::file_hash(chunks).hex(), text_of(expected["file_hash"]));
    if (!expected.contains("chunks")) continue;

    ASSERT_EQ(chunks.size(), expected["chunks"].size());
    const auto triggers = find_candidates(data, 0).positions;
    EXPECT_EQ(triggers.size(), expected["n_triggers"]);
    const auto first = expected["first_triggers"].get<std::vector<uint32_t>>();
    EXPECT_EQ(std::vector(triggers.begin(), triggers.begin() + static_cast<ptrdiff_t>(first.size())), first);
    size_t offset = 0;
    for (size_t i = 0; i < chunks.size(); ++i) {
      const auto& row = expected["chunks"][i];
      EXPECT_EQ(offset, row[0]);
      EXPECT_EQ(chunks[i].len_bytes, row[1]);
      EXPECT_EQ(chunks[i].hash.hex(), text_of(row[2]));
      offset += chunks[i].len_bytes;
      const bool at_trigger = std::find(triggers.begin(), triggers.end(), offset) != triggers.end();
      EXPECT_EQ(text_of(row[3]), at_trigger ? "trigger" : (i + 1 == chunks.size() ? "end" : "max"));
    }

    std::vector<hash::TreeNode> level;
    for (const auto& chunk : chunks) level.push_back({NodeHash(chunk.hash), chunk.len_bytes});
    for (const auto& golden_level : expected["levels"]) {
      std::vector<size_t> group_sizes;
      std::vector<hash::TreeNode> above;
      for (std::span<const hash::TreeNode> rest = level; !rest.empty();
           rest = rest.subspan(group_sizes.back())) {
        group_sizes.push_back(hash::group_length(rest));
        above.push_back(hash::parent_of(rest.first(group_sizes.back())));
      }
      EXPECT_EQ(group_sizes, golden_level["group_sizes"].get<std::vector<size_t>>());
      ASSERT_EQ(above.size(), golden_level["nodes"].size());
      for (size_t i = 0; i < above.size(); ++i) {
        EXPECT_EQ(above[i].hash.hex(), text_of(golden_level["nodes"][i][0]));
        EXPECT_EQ(above[i].size, golden_level["nodes"][i][1]);
      }
      level = above;
    }
    ASSERT_EQ(level.size(), 1U);
    EXPECT_EQ(level[0].hash.hex(), text_of(expected["aggregate"]));
  }
}

TEST(GoldenFiles, RecordedXorbAndItsTermsHaveTheirHashes) {
  const auto golden = golden_files();
  const auto files = recorded_files();
  std::vector<hash::ChunkInfo> xorb;
  for (const auto& name : golden["xorb"]["files_in_order"]) {
    for (const auto& chunk : chunks_of(files.at(name))) {
      // Chunks that a file has more than once are packed once.
      if (name == "zeros.bin" && !xorb.empty() && xorb.back() == chunk) continue;
      xorb.push_back(chunk);
    }
  }
  ASSERT_EQ(xorb.size(), golden["xorb"]["n_chunks"]);
  EXPECT_EQ(hash::xorb_hash(xorb).hex(), text_of(golden["xorb"]["hash"]));
  for (const auto& term : golden["terms"]) {
    uint64_t bytes = 0;
    std::vector<ChunkHash> hashes;
    for (size_t i = term["first_chunk"]; i < term["end_chunk"]; ++i) {
      hashes.push_back(xorb[i].hash);
      bytes += xorb[i].len_bytes;
    }
    EXPECT_EQ(bytes, term["unpacked_bytes"]);
    EXPECT_EQ(hash::range_hash(hashes).hex(), text_of(term["range_hash"]));
  }
}

struct RandomFile {
  uint64_t seed = 0;
  size_t size = 0;
  std::string file_hash;
  std::string sha256;
};

void PrintTo(const RandomFile& file, std::ostream* out) {
  *out << file.size;
}  // the name of the ctest entry

std::vector<RandomFile> random_files() {
  std::ifstream in(testing::test_data("golden/chunking/random_files.tsv"));
  std::string header;
  std::getline(in, header);
  std::vector<RandomFile> out;
  RandomFile file;
  while (in >> file.seed >> file.size >> file.file_hash >> file.sha256) out.push_back(file);
  return out;
}

TEST(GoldenFiles, TableOfRandomFilesIsThere) {
  EXPECT_EQ(random_files().size(), 36U);
}

class RandomFileOfSize : public ::testing::TestWithParam<RandomFile> {};
INSTANTIATE_TEST_SUITE_P(Golden, RandomFileOfSize, ::testing::ValuesIn(random_files()),
                         [](const auto& param) { return std::to_string(param.param.size); });

TEST_P(RandomFileOfSize, HasTheHashOfTheGenuineClient) {
  const auto& file = GetParam();
  if (!testing::kFastBuild && file.size > 20'000'000) GTEST_SKIP() << "too big for an instrumented build";
  const auto data = random_bytes(file.size, file.seed);
  EXPECT_EQ(hash::sha256(data).hex(), file.sha256);
  EXPECT_EQ(hash::file_hash(chunks_of(data)).hex(), file.file_hash);
}

}  // namespace
}  // namespace xet::chunk
