#include <benchmark/benchmark.h>

#include <string>

#include "base/check.h"
#include "bench/data.h"
#include "codec/byte_grouping.h"
#include "codec/lz4.h"
#include "codec/predictor.h"

namespace {

using namespace xet;
using bench::bench_name;
using bench::data_set;

void byte_grouping(benchmark::State& state, const codec::ByteGroupingKernel& kernel, bool back, size_t n) {
  const ByteSpan bytes = data_set("bf16", n);
  ByteVector out(n);
  ByteVector again(n);
  kernel.group(bytes, out);
  kernel.regroup(out, again);
  XET_CHECK(as_chars(again) == as_chars(bytes));
  for (auto _ : state) {
    (back ? kernel.regroup : kernel.group)(bytes, out);
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(n));
}

/// `ratio` is packed to unpacked size; 1 where packing did not pay.
void lz4_compress(benchmark::State& state, std::string_view data, size_t n) {
  const ByteSpan bytes = data_set(data, n);
  codec::Lz4 lz4;
  ByteVector out(n);
  size_t packed = n;
  for (auto _ : state) packed = lz4.compress(bytes, MutableByteSpan(out).first(n - 1)).value_or(n);
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(n));
  state.counters["ratio"] = static_cast<double>(packed) / static_cast<double>(n);
}

void lz4_decompress(benchmark::State& state, std::string_view data, size_t n) {
  const ByteSpan bytes = data_set(data, n);
  codec::Lz4 lz4;
  ByteVector packed(n);
  const auto len = lz4.compress(bytes, packed);
  if (!len) return state.SkipWithError("this data does not get smaller");
  const ByteSpan frame = ByteSpan(packed).first(*len);
  ByteVector out(n);
  XET_CHECK(codec::Lz4::decompress(frame, out).has_value() && as_chars(out) == as_chars(bytes));
  for (auto _ : state) benchmark::DoNotOptimize(codec::Lz4::decompress(frame, out).has_value());
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(n));
}

void predict(benchmark::State& state, std::string_view data, size_t n) {
  const ByteSpan bytes = data_set(data, n);
  for (auto _ : state) benchmark::DoNotOptimize(codec::predict_scheme(bytes));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(n));
}

[[maybe_unused]] const bool kRegistered = [] {
  for (const size_t n : bench::kChunkSizes) {
    for (const auto& kernel : codec::byte_grouping_kernels()) {
      if (!kernel.supported()) continue;
      const std::string name(kernel.name);
      benchmark::RegisterBenchmark(bench_name("group_" + name, "bf16", n).c_str(), byte_grouping, kernel,
                                   false, n);
      benchmark::RegisterBenchmark(bench_name("regroup_" + name, "bf16", n).c_str(), byte_grouping, kernel,
                                   true, n);
    }
    for (const std::string_view data : bench::kDataSets) {
      benchmark::RegisterBenchmark(bench_name("lz4_compress", data, n).c_str(), lz4_compress, data, n);
      // Random data and bare bf16 do not get smaller, so nobody unpacks them.
      if (data == "text" || data == "bf16_grouped")
        benchmark::RegisterBenchmark(bench_name("lz4_decompress", data, n).c_str(), lz4_decompress, data, n);
      benchmark::RegisterBenchmark(bench_name("predict_scheme", data, n).c_str(), predict, data, n);
    }
  }
  return true;
}();

}  // namespace
