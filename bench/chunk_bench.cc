#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "base/check.h"
#include "bench/data.h"
#include "chunk/chunker.h"
#include "chunk/gear.h"

namespace {

using namespace xet;
using bench::bench_name;
using bench::data_set;

void scan(benchmark::State& state, const chunk::ScanKernel& kernel, std::string_view data, size_t n) {
  const ByteSpan bytes = data_set(data, n);
  std::vector<uint32_t> expected;
  XET_CHECK(chunk::scan_kernels().back().scan(bytes, 0, chunk::candidate_limit(n), expected));
  std::vector<uint32_t> found;
  XET_CHECK(kernel.scan(bytes, 0, chunk::candidate_limit(n), found));
  XET_CHECK(found == expected);
  for (auto _ : state) {
    found.clear();
    benchmark::DoNotOptimize(kernel.scan(bytes, 0, chunk::candidate_limit(n), found));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(n));
}

/// Serial chunking in pieces, as a stream is chunked.
void chunker(benchmark::State& state, std::string_view data, size_t n) {
  const ByteSpan bytes = data_set(data, n);
  for (auto _ : state) {
    chunk::Chunker chunker;
    size_t n_chunks = 0;
    const auto count = [&](uint32_t) { ++n_chunks; };
    chunker.feed(bytes, count);
    chunker.finish(count);
    benchmark::DoNotOptimize(n_chunks);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(n));
}

[[maybe_unused]] const bool kRegistered = [] {
  for (const std::string_view data : {"random", "text", "bf16"}) {
    for (const auto& kernel : chunk::scan_kernels()) {
      if (!kernel.supported()) continue;
      const std::string what = "scan_" + std::string(kernel.name);
      for (const size_t n : bench::kChunkSizes)
        benchmark::RegisterBenchmark(bench_name(what, data, n).c_str(), scan, kernel, data, n);
      benchmark::RegisterBenchmark(bench_name(what, data, bench::kLargeSize).c_str(), scan, kernel, data,
                                   bench::kLargeSize);
    }
    benchmark::RegisterBenchmark(bench_name("chunker", data, bench::kLargeSize).c_str(), chunker, data,
                                 bench::kLargeSize);
  }
  return true;
}();

}  // namespace
