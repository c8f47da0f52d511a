#include <gtest/gtest.h>

#include <numeric>
#include <string>

#include "chunk/chunker.h"
#include "chunk/reference.h"

namespace xet::chunk {
namespace {

using testing::dense_bytes;
using testing::ends_of;
using testing::random_bytes;
using testing::reference_cuts;
using testing::SplitMix64;
using testing::zeros_with_triggers;
using Numbers = std::vector<uint32_t>;

void in_order(size_t n, const std::function<void(size_t)>& task) {
  for (size_t i = 0; i < n; ++i) task(i);
}
void backwards(size_t n, const std::function<void(size_t)>& task) {
  while (n-- > 0) task(n);
}
RunAll shuffled(uint64_t seed) {
  return [seed](size_t n, const std::function<void(size_t)>& task) {
    std::vector<size_t> order(n);
    std::iota(order.begin(), order.end(), size_t{0});
    SplitMix64 random(seed);
    for (size_t i = n; i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
    for (const size_t i : order) task(i);
  };
}

/// Random, repetitive and hostile inputs, some of them changing their nature half way.
std::vector<ByteVector> inputs() {
  std::vector<ByteVector> out = {random_bytes(1000000, 0), dense_bytes(400000), ByteVector(400000),
                                 testing::padded_pattern(3)};
  auto& mixed = out.emplace_back(random_bytes(300000, 1));
  append_bytes(mixed, dense_bytes(100001));
  append_bytes(mixed, random_bytes(100000, 2));
  append_bytes(mixed, ByteVector(200000));
  append_bytes(mixed, dense_bytes(50000));
  // Two triggers per window of interest: just short of it, just at it.
  out.push_back(zeros_with_triggers(600000, {8191, 8300, 16491, 16492 + 64, 147563, 147628, 278635, 278700,
                                             409700, 540000, 548191, 548256}));
  return out;
}

TEST(CutResolver, IsExactForEverySegmentSizeOrderAndKernel) {
  for (const auto& data : inputs()) {
    const auto expected = reference_cuts(data);
    for (const auto& kernel : scan_kernels()) {
      if (!kernel.supported()) continue;
      for (const size_t segment : {777, 4096, 8191, 8192, 65535, 131072, 131073, 250000, 5000000}) {
        EXPECT_EQ(ends_of(parallel_chunk_lengths(data, segment, in_order, kernel)), expected)
            << kernel.name << " " << segment;
        EXPECT_EQ(ends_of(parallel_chunk_lengths(data, segment, backwards, kernel)), expected) << segment;
        EXPECT_EQ(ends_of(parallel_chunk_lengths(data, segment, shuffled(segment), kernel)), expected)
            << segment;
      }
    }
  }
}

TEST(CutResolver, IsExactForTinySegments) {
  const auto data = zeros_with_triggers(30000, {8191, 8300, 16491, 16600, 24791});
  const auto expected = reference_cuts(data);
  for (const size_t segment : {1, 2, 37, 63, 64, 65}) {
    EXPECT_EQ(ends_of(parallel_chunk_lengths(data, segment, backwards)), expected) << segment;
  }
  const auto dense = dense_bytes(30000);
  EXPECT_EQ(ends_of(parallel_chunk_lengths(dense, 37, in_order)), reference_cuts(dense));
}

/// Resolves `data` in segments that end at `ends`; every segment is called dense if `all_dense`.
Numbers resolved(ByteSpan data, const Numbers& ends, bool all_dense) {
  Numbers cuts;
  CutResolver resolver;
  size_t begin = 0;
  for (const uint32_t end : ends) {
    const size_t context = std::min(begin, kMaxContext);
    const auto bytes = data.subspan(begin - context, end - begin + context);
    Numbers here;
    resolver.resolve(all_dense ? Candidates{{}, true} : find_candidates(bytes, context), bytes, context,
                     here);
    for (const uint32_t cut : here) cuts.push_back(static_cast<uint32_t>(begin + cut));
    begin = end;
  }
  if (resolver.finish() != 0) cuts.push_back(static_cast<uint32_t>(begin));
  return cuts;
}

TEST(CutResolver, IsExactForRandomSegmentBoundaries) {
  SplitMix64 random(11);
  for (const auto& data : inputs()) {
    const auto expected = reference_cuts(data);
    for (int round = 0; round < 20; ++round) {
      Numbers ends;
      for (uint64_t end = 0; end < data.size();) {
        end = std::min<uint64_t>(data.size(), end + random.below(round % 2 == 0 ? 200000 : 20000));
        ends.push_back(static_cast<uint32_t>(end));  // empty segments happen too
      }
      EXPECT_EQ(resolved(data, ends, false), expected);
      EXPECT_EQ(resolved(data, ends, true), expected) << "rescanning gives the same";
    }
  }
}

TEST(CutResolver, SeesTriggersAtTheLimitsWhereverTheSegmentEnds) {
  for (const uint32_t length :
       {kMinChunk - 1, kMinChunk, kMinChunk + 1, kMaxChunk - 1, kMaxChunk, kMaxChunk + 1}) {
    const auto data = zeros_with_triggers(300000, {20000, 20000 + length});
    const auto expected = reference_cuts(data);
    for (int shift = -70; shift <= 70; ++shift) {
      const auto end = static_cast<uint32_t>(20000 + static_cast<int>(length) + shift);
      EXPECT_EQ(resolved(data, {end, 300000}, false), expected) << length << " " << shift;
      EXPECT_EQ(resolved(data, {end, 300000}, true), expected) << length << " " << shift;
    }
  }
}

TEST(CutResolver, NeedsNoBytesUnlessDense) {
  // Only the length of the segment counts on the normal path: here the bytes say nothing of the triggers.
  const ByteVector blank(200000);
  Numbers cuts;
  CutResolver resolver;
  resolver.resolve({{5000, 9000, 12000, 17192}, false}, blank, 0, cuts);
  EXPECT_EQ(cuts, (Numbers{9000, 17192, 17192 + kMaxChunk}));
  EXPECT_EQ(resolver.open_bytes(), 200000 - 17192 - kMaxChunk);
  cuts.clear();
  resolver.resolve({{1}, false}, ByteSpan(blank).first(63 + 100), 63, cuts);
  EXPECT_EQ(cuts, Numbers{1});
  EXPECT_EQ(resolver.finish(), 99U);
  EXPECT_EQ(resolver.finish(), 0U);
}

TEST(CutResolver, CutsAtTheLastByteOfASegment) {
  Numbers cuts;
  CutResolver resolver;
  const ByteVector blank(kMaxChunk);
  resolver.resolve({}, blank, 0, cuts);
  EXPECT_EQ(cuts, Numbers{kMaxChunk});
  EXPECT_EQ(resolver.finish(), 0U);
}

TEST(ParallelChunkLengths, GivesNoChunkForNoBytes) {
  EXPECT_EQ(parallel_chunk_lengths({}, 1000, in_order), Numbers{});
}

}  // namespace
}  // namespace xet::chunk
