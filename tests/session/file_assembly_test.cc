#include "session/file_assembly.h"

#include <gtest/gtest.h>

#include "support/generators.h"

namespace xet::session {
namespace {

using namespace testing;

hash::ChunkInfo info(uint64_t seed) {
  return {ChunkHash(random_hash(seed)), static_cast<uint32_t>(10'000 + seed)};
}

/// A xorb of chunks seed, seed + 1, … among the known ones.
uint32_t xorb_of(dedup::KnownXorbs& known, uint64_t seed, size_t n_chunks) {
  const auto xorb = known.open_xorb();
  for (size_t i = 0; i < n_chunks; ++i) known.append(xorb, info(seed + i).hash);
  known.close_xorb(xorb, XorbHash(random_hash(seed + 1'000'000)));
  return xorb;
}

/// What a record must be for these chunks at these places.
format::FileRecord expected(const dedup::KnownXorbs& known, const std::vector<uint64_t>& seeds,
                            const std::vector<dedup::ChunkPlace>& places) {
  format::FileRecord out;
  hash::TreeHasher tree;
  std::vector<std::vector<ChunkHash>> runs;
  for (size_t i = 0; i < seeds.size(); ++i) {
    const auto chunk = info(seeds[i]);
    tree.add(chunk);
    const bool extends =
        i > 0 && places[i].xorb == places[i - 1].xorb && places[i].chunk == places[i - 1].chunk + 1;
    if (!extends) {
      out.terms.push_back({known.hash(places[i].xorb), 0, places[i].chunk, places[i].chunk});
      runs.emplace_back();
    }
    ++out.terms.back().chunk_end;
    out.terms.back().unpacked_len += chunk.len_bytes;
    runs.back().push_back(chunk.hash);
  }
  for (const auto& run : runs) out.verification.push_back(hash::range_hash(run));
  out.hash = tree.finish_file();
  return out;
}

TEST(FileAssembly, JoinsChunksThatFollowEachOther) {
  dedup::KnownXorbs known(1000);
  const auto a = xorb_of(known, 0, 10);
  const auto b = xorb_of(known, 100, 10);
  const std::vector<uint64_t> seeds{0, 1, 2, 105, 106, 3, 4, 4, 5};
  const std::vector<dedup::ChunkPlace> places{{a, 0}, {a, 1}, {a, 2}, {b, 5}, {b, 6},
                                              {a, 3}, {a, 4}, {a, 4}, {a, 5}};
  FileAssembly file;
  EXPECT_EQ(file.continuation(), std::nullopt);
  for (size_t i = 0; i < seeds.size(); ++i) file.add(info(seeds[i]), places[i]);
  EXPECT_EQ(file.continuation(), (dedup::ChunkPlace{a, 6}));
  EXPECT_TRUE(file.refers_to(a));
  EXPECT_FALSE(file.refers_to(b + 1));
  const FileHash hash = file.seal();
  const auto record = file.finish(known);
  EXPECT_EQ(record.hash, hash);
  EXPECT_EQ(record, expected(known, seeds, places));
  EXPECT_EQ(record.terms.size(), 4U);
}

TEST(FileAssembly, AnEmptyFileHasNoTermsAndTheZeroHash) {
  const dedup::KnownXorbs known(10);
  FileAssembly file;
  EXPECT_TRUE(file.seal().is_zero());
  const auto record = file.finish(known);
  EXPECT_TRUE(record.hash.is_zero());
  EXPECT_TRUE(record.terms.empty());
  EXPECT_TRUE(record.has_verification);
}

TEST(FileAssembly, TermsOfAXorbMoveWithItsChunks) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    SplitMix64 random(seed);
    dedup::KnownXorbs known(1000);
    const auto other = xorb_of(known, 500, 20);
    const auto moving = xorb_of(known, 0, 20);
    const auto elsewhere = xorb_of(known, 0, 20);
    const auto rest = xorb_of(known, 1000, 20);  // takes what stays, under other numbers
    std::vector<dedup::ChunkPlace> new_place;
    std::vector<hash::ChunkInfo> chunks;
    uint32_t n_kept = 0;
    for (uint32_t i = 0; i < 20; ++i) {
      chunks.push_back(info(i));
      new_place.push_back(random.below(2) == 0 ? dedup::ChunkPlace{elsewhere, i}
                                               : dedup::ChunkPlace{rest, n_kept++});
    }

    FileAssembly file;
    std::vector<uint64_t> seeds;
    std::vector<dedup::ChunkPlace> places;
    const auto add_run = [&](uint32_t xorb, uint64_t first_seed, bool moved) {
      const auto begin = static_cast<uint32_t>(random.below(15));
      const auto n = static_cast<uint32_t>(1 + random.below(5));
      for (uint32_t i = begin; i < begin + n; ++i) {
        file.add(info(first_seed + i), {xorb, i});
        seeds.push_back(first_seed + i);
        places.push_back(moved ? new_place[i] : dedup::ChunkPlace{xorb, i});
      }
    };
    for (uint64_t i = random.below(6); i-- > 0;) {
      if (random.below(2) == 0) {
        add_run(moving, 0, true);
      } else {
        add_run(other, 500, false);
      }
    }
    const bool is_complete = random.below(2) == 0;
    if (is_complete) file.seal();
    file.relocate(moving, new_place, chunks);
    EXPECT_FALSE(file.refers_to(moving));
    if (!is_complete) {
      add_run(other, 500, false);  // and goes on
      add_run(other, 500, false);
      file.seal();
    }
    const auto record = file.finish(known);
    const auto model = expected(known, seeds, places);
    EXPECT_EQ(record.hash, model.hash);
    // Runs that meet only since the move may stay apart; each must be right by itself.
    EXPECT_GE(record.terms.size(), model.terms.size());
    size_t at = 0;
    for (size_t t = 0; t < record.terms.size(); ++t) {
      const auto& term = record.terms[t];
      std::vector<ChunkHash> hashes;
      uint32_t len = 0;
      for (uint32_t i = term.chunk_begin; i < term.chunk_end; ++i, ++at) {
        ASSERT_LT(at, seeds.size());
        EXPECT_EQ(term.xorb, known.hash(places[at].xorb));
        EXPECT_EQ(i, places[at].chunk);
        hashes.push_back(info(seeds[at]).hash);
        len += info(seeds[at]).len_bytes;
      }
      EXPECT_EQ(term.unpacked_len, len);
      EXPECT_EQ(record.verification[t], hash::range_hash(hashes));
    }
    EXPECT_EQ(at, seeds.size());
  }
}

}  // namespace
}  // namespace xet::session
