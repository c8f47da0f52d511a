#include <benchmark/benchmark.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "bench/data.h"
#include "chunk/chunker.h"
#include "format/shard.h"
#include "format/shard_view.h"
#include "format/xorb.h"
#include "format/xorb_check.h"
#include "format/xorb_footer.h"
#include "hash/blake3.h"
#include "support/generators.h"

namespace {

using namespace xet;
using bench::bench_name;
using bench::data_set;

/// Packs in chunks of the usual size, without hashing: what a xorb costs beside its hashes.
size_t pack_all(ByteSpan bytes, codec::Codec& codec, MutableByteSpan room) {
  size_t packed = 0;
  while (!bytes.empty()) {
    const size_t n = std::min<size_t>(bytes.size(), chunk::kTargetChunk);
    packed += format::encode_chunk(bytes.first(n), codec, room);
    bytes = bytes.subspan(n);
  }
  return packed;
}

ByteVector whole_xorb(ByteSpan bytes) {
  codec::Codec codec;
  ByteVector room(format::max_encoded_chunk(format::kMaxChunkBytes));
  format::XorbFooterBuilder builder;
  ByteVector out;
  for (size_t at = 0; at < bytes.size(); at += chunk::kTargetChunk) {
    const ByteSpan chunk = bytes.subspan(at, std::min<size_t>(chunk::kTargetChunk, bytes.size() - at));
    const size_t n = format::encode_chunk(chunk, codec, room);
    append_bytes(out, ByteSpan(room).first(n));
    const auto packed_len = static_cast<uint32_t>(n - format::ChunkHeader::kEncodedSize);
    XET_CHECK(
        builder.add(hash::chunk_hash(chunk), packed_len, static_cast<uint32_t>(chunk.size())).has_value());
  }
  builder.finish().append_to(out);
  return out;
}

void xorb_pack(benchmark::State& state, std::string_view data, size_t n) {
  const ByteSpan bytes = data_set(data, n);
  codec::Codec codec;
  ByteVector room(format::max_encoded_chunk(format::kMaxChunkBytes));
  size_t packed = 0;
  for (auto _ : state) packed = pack_all(bytes, codec, room);
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(n));
  state.counters["ratio"] = static_cast<double>(packed) / static_cast<double>(n);
}

/// What a store does with each xorb it is given: decode and hash every chunk.
void xorb_verify(benchmark::State& state, std::string_view data, size_t n) {
  const ByteVector object = whole_xorb(data_set(data, n));
  codec::Codec codec;
  for (auto _ : state) benchmark::DoNotOptimize(format::rebuild_footer(object, codec).has_value());
  XET_CHECK(format::rebuild_footer(object, codec).has_value());
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(n));
}

void xorb_footer_parse(benchmark::State& state) {
  const ByteVector object = whole_xorb(data_set("random", bench::kLargeSize));
  const auto tail_size = format::XorbFooter::tail_size(object, object.size());
  XET_CHECK(tail_size.has_value());
  const ByteSpan tail = ByteSpan(object).last(*tail_size);
  for (auto _ : state)
    benchmark::DoNotOptimize(format::XorbFooter::parse_tail(tail, object.size()).has_value());
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(tail.size()));
}
BENCHMARK(xorb_footer_parse);

/// A stored shard of 64 full xorbs of 1000 chunks, each xorb one file: about 4 GB of content.
const ByteVector& stored_shard() {
  static const ByteVector bytes = [] {
    constexpr uint32_t kChunks = 1000;
    format::Shard shard;
    for (uint64_t i = 0; i < 64; ++i) {
      format::XorbRecord xorb{.hash = XorbHash(testing::random_hash(i)), .chunks = {}};
      for (uint32_t c = 0; c < kChunks; ++c) {
        xorb.chunks.push_back({ChunkHash(testing::random_hash(1000 * (i + 1) + c)), c * 65536, 65536, 0});
      }
      xorb.unpacked_bytes = kChunks * 65536;
      shard.files.push_back({.hash = FileHash(testing::random_hash(i + 100)),
                             .terms = {{xorb.hash, xorb.unpacked_bytes, 0, kChunks}},
                             .verification = {RangeHash(testing::random_hash(i + 200))},
                             .sha256 = std::nullopt});
      shard.xorbs.push_back(std::move(xorb));
    }
    std::ranges::sort(shard.files, {}, &format::FileRecord::hash);
    std::ranges::sort(shard.xorbs, {}, &format::XorbRecord::hash);
    return shard.to_stored_form({.has_tables = true});
  }();
  return bytes;
}

void shard_parse(benchmark::State& state) {
  const ByteVector& bytes = stored_shard();
  XET_CHECK(format::Shard::parse(bytes).has_value());
  for (auto _ : state) benchmark::DoNotOptimize(format::Shard::parse(bytes).has_value());
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(bytes.size()));
}
BENCHMARK(shard_parse);

void shard_write(benchmark::State& state) {
  const auto shard = format::Shard::parse(stored_shard());
  XET_CHECK(shard.has_value() && shard->serialise() == stored_shard());
  for (auto _ : state) benchmark::DoNotOptimize(shard->serialise().size());
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(stored_shard().size()));
}
BENCHMARK(shard_write);

/// Chunks that are there, in no order.
void shard_find_chunk(benchmark::State& state) {
  const auto view = format::ShardView::open(stored_shard());
  XET_CHECK(view.has_value());
  testing::SplitMix64 generator(3);
  const auto next = [&] {
    return ChunkHash(testing::random_hash(1000 * (generator.below(64) + 1) + generator.below(1000)));
  };
  std::vector<ChunkHash> wanted(1024);
  std::ranges::generate(wanted, next);
  for (const auto& hash : wanted) XET_CHECK(!view->find_chunk(hash).value().empty());
  size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(view->find_chunk(wanted[i++ % wanted.size()]).has_value());
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(shard_find_chunk);

[[maybe_unused]] const bool kRegistered = [] {
  for (const std::string_view data : {"random", "text", "bf16"}) {
    benchmark::RegisterBenchmark(bench_name("xorb_pack", data, bench::kLargeSize).c_str(), xorb_pack, data,
                                 bench::kLargeSize);
    benchmark::RegisterBenchmark(bench_name("xorb_verify", data, bench::kLargeSize).c_str(), xorb_verify,
                                 data, bench::kLargeSize);
  }
  return true;
}();

}  // namespace
