#include <benchmark/benchmark.h>

#include <vector>

#include "bench/data.h"
#include "hash/blake3.h"
#include "hash/sha256.h"
#include "hash/tree.h"
#include "support/generators.h"

namespace {

using namespace xet;
using bench::bench_name;
using bench::data_set;

void chunk_hash(benchmark::State& state, size_t n) {
  const ByteSpan bytes = data_set("random", n);
  for (auto _ : state) benchmark::DoNotOptimize(hash::chunk_hash(bytes));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(n));
}

void sha256(benchmark::State& state, size_t n) {
  const ByteSpan bytes = data_set("random", n);
  for (auto _ : state) benchmark::DoNotOptimize(hash::sha256(bytes));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(n));
}

/// The root over the chunks of a file; bytes are those of the file, 64 KiB per chunk.
void file_hash(benchmark::State& state) {
  const auto n_chunks = static_cast<size_t>(state.range(0));
  std::vector<hash::ChunkInfo> chunks;
  chunks.reserve(n_chunks);
  for (size_t i = 0; i < n_chunks; ++i) chunks.push_back({ChunkHash(testing::random_hash(i)), 65536});
  for (auto _ : state) benchmark::DoNotOptimize(hash::file_hash(chunks));
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(n_chunks));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(n_chunks) * 65536);
}
BENCHMARK(file_hash)->Arg(16)->Arg(1024)->Arg(65536);

[[maybe_unused]] const bool kRegistered = [] {
  const auto both = [](size_t n) {
    benchmark::RegisterBenchmark(bench_name("chunk_hash", "random", n).c_str(), chunk_hash, n);
    benchmark::RegisterBenchmark(bench_name("sha256", "random", n).c_str(), sha256, n);
  };
  for (const size_t n : bench::kChunkSizes) both(n);
  both(bench::kLargeSize);
  return true;
}();

}  // namespace
