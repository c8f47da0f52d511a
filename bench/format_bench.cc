#include <benchmark/benchmark.h>

#include <string>
#include <string_view>

#include "base/check.h"
#include "bench/data.h"
#include "chunk/chunker.h"
#include "format/xorb.h"
#include "format/xorb_check.h"
#include "format/xorb_footer.h"
#include "hash/blake3.h"

namespace {

using namespace xet;
using bench::bench_name;
using bench::data_set;

/// Cuts what is at hand into chunks and packs them, without hashing: what a xorb costs beside its hashes.
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
