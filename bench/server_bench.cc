// What the store's service costs without HTTP: taking in xorbs, planning downloads, signing and checking.
// The store lies in the system's temporary directory and syncs as always.

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "bench/data.h"
#include "codec/codec.h"
#include "format/shard.h"
#include "format/xorb.h"
#include "hash/blake3.h"
#include "hash/tree.h"
#include "server/core/embedded_store.h"
#include "server/core/signed_url.h"
#include "server/core/tokens.h"

namespace xet::bench {
namespace {

namespace fs = std::filesystem;

constexpr core::Principal kWriter{.repository = store::kLocalRepository, .reads_every_file = false};
constexpr size_t kChunk = 64 << 10;
constexpr size_t kPiece = 512 << 10;  // as clients cut their bodies

[[noreturn]] void give_up(const std::string& message) {
  fmt::print(stderr, "{}\n", message);
  std::abort();
}
template <class T>
T value_of(Result<T> result) {
  if (!result) give_up(result.error().message);
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) { return double(t.tv_sec) + 1e-6 * double(t.tv_usec); };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

class TempStore {
 public:
  TempStore() {
    std::string path = (fs::temp_directory_path() / "xet-bench-XXXXXX").string();
    if (mkdtemp(path.data()) == nullptr) give_up("no temporary directory");
    path_ = path;
    store_ = value_of(core::open_embedded_store(path_));
  }
  ~TempStore() {
    store_.service.reset();
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TempStore(const TempStore&) = delete;
  TempStore& operator=(const TempStore&) = delete;
  core::CasService& service() { return *store_.service; }

 private:
  fs::path path_;
  core::EmbeddedStore store_;
};

struct Xorb {
  XorbHash hash;
  ByteVector body;
  std::vector<hash::ChunkInfo> chunks;
};

/// A xorb of `size` bytes in chunks of 64 KiB; `salt` makes it another one.
Xorb make_xorb(std::string_view data, size_t size, uint64_t salt) {
  Xorb out;
  codec::Codec codec;
  hash::TreeHasher tree;
  ByteVector chunk(kChunk);
  ByteVector packed(format::max_encoded_chunk(kChunk));
  const ByteSpan source = data_set(data, size);
  for (size_t at = 0; at < size; at += kChunk) {
    std::copy_n(source.begin() + static_cast<ptrdiff_t>(at), kChunk, chunk.begin());
    std::memcpy(chunk.data(), &salt, sizeof salt);
    out.chunks.push_back({hash::chunk_hash(chunk), static_cast<uint32_t>(kChunk)});
    tree.add(out.chunks.back());
    append_bytes(out.body, ByteSpan(packed).first(format::encode_chunk(chunk, codec, packed)));
  }
  out.hash = tree.finish_xorb();
  return out;
}

bool feed_all(core::CasService& service, const Xorb& xorb) {
  const auto upload = value_of(service.begin_xorb(kWriter, xorb.hash, {}));
  for (ByteSpan rest(xorb.body); !rest.empty();) {
    const ByteSpan piece = rest.first(std::min(kPiece, rest.size()));
    rest = rest.subspan(piece.size());
    value_of(upload->feed(piece));
  }
  return value_of(upload->finish());
}

/// A file of all chunks of the xorbs, one term for each.
FileHash put_file(core::CasService& service, const std::vector<Xorb>& xorbs) {
  format::Shard shard;
  format::FileRecord file;
  hash::TreeHasher tree;
  file.has_verification = true;
  for (const auto& xorb : xorbs) {
    std::vector<ChunkHash> hashes;
    hashes.reserve(xorb.chunks.size());
    for (const auto& chunk : xorb.chunks) {
      tree.add(chunk);
      hashes.push_back(chunk.hash);
    }
    file.terms.push_back({.xorb = xorb.hash,
                          .unpacked_len = static_cast<uint32_t>(hashes.size() * kChunk),
                          .chunk_begin = 0,
                          .chunk_end = static_cast<uint32_t>(hashes.size())});
    file.verification.push_back(hash::range_hash(hashes));
  }
  file.hash = tree.finish_file();
  shard.files.push_back(file);
  value_of(service.put_shard(kWriter, shard.to_upload_form(), {}, {}));
  return file.hash;
}

void ingest(benchmark::State& state, std::string_view data, bool known) {
  TempStore store;
  std::vector<Xorb> xorbs;
  xorbs.reserve(4);
  for (uint64_t i = 0; i < 4; ++i) xorbs.push_back(make_xorb(data, kLargeSize, i + 1));
  uint64_t next = 0;
  double cpu = 0;
  if (known) feed_all(store.service(), xorbs[0]);
  std::unique_ptr<TempStore> fresh;
  for (auto _ : state) {
    state.PauseTiming();
    if (!known && next % xorbs.size() == 0) fresh = std::make_unique<TempStore>();
    auto& service = known ? store.service() : fresh->service();
    const auto& xorb = known ? xorbs[0] : xorbs[next % xorbs.size()];
    ++next;
    const double before = cpu_seconds();
    state.ResumeTiming();
    if (feed_all(service, xorb) == known) give_up("the xorb was known, or was not");
    state.PauseTiming();
    cpu += cpu_seconds() - before;
    state.ResumeTiming();
  }
  const auto bytes = static_cast<double>(next) * static_cast<double>(kLargeSize);
  state.SetBytesProcessed(static_cast<int64_t>(bytes));
  state.counters["cpu_s_per_GB"] = cpu / (bytes / 1e9);
}

/// A file of 1 GiB over 16 xorbs, whose packed form does not matter here: it is small.
struct Library {
  TempStore store;
  FileHash file;
  Library() {
    std::vector<Xorb> xorbs;
    xorbs.reserve(16);
    for (uint64_t i = 0; i < 16; ++i) xorbs.push_back(make_xorb("text", kLargeSize, i + 1));
    for (const auto& xorb : xorbs) feed_all(store.service(), xorb);
    file = put_file(store.service(), xorbs);
  }
};
Library& library() {
  static Library out;
  return out;
}

void reconstruct(benchmark::State& state) {
  auto& all = library();
  for (auto _ : state) {
    auto plan = all.store.service().reconstruct(kWriter, all.file, std::nullopt, core::ChunkHashes::kNo);
    if (!plan || plan->terms.size() != 16) give_up("no plan");
    benchmark::DoNotOptimize(plan);
  }
}

void reconstruct_range(benchmark::State& state) {
  auto& all = library();
  for (auto _ : state) {
    auto plan = all.store.service().reconstruct(
        kWriter, all.file, core::FileRange{.begin = 100'000'001, .end = 300'000'000}, core::ChunkHashes::kNo);
    if (!plan || plan->terms.size() != 4) give_up("no plan");
    benchmark::DoNotOptimize(plan);
  }
}

void open_xorb(benchmark::State& state) {
  auto& all = library();
  const auto plan =
      value_of(all.store.service().reconstruct(kWriter, all.file, std::nullopt, core::ChunkHashes::kNo));
  const auto& row = plan.xorbs[0].row;
  for (auto _ : state) {
    auto open = all.store.service().open_xorb(row.hash, row.generation);
    if (!open) give_up(open.error().message);
    benchmark::DoNotOptimize(open);
  }
}

core::DataGrant grant() {
  return {.xorb = XorbHash::from_words(1, 2, 3, 4),
          .generation = 0,
          .ranges = {{.begin = 0, .end = 64 << 20}},
          .expires_at_s = 4'000'000'000,
          .repository = 1};
}

void sign_url(benchmark::State& state) {
  const auto signer = value_of(core::UrlSigner::open(library().store.service().meta(), system_clock()));
  for (auto _ : state) benchmark::DoNotOptimize(signer->path_and_query(grant()));
}

void check_url(benchmark::State& state) {
  const auto signer = value_of(core::UrlSigner::open(library().store.service().meta(), system_clock()));
  const std::string url = signer->path_and_query(grant());
  const std::string_view view = url;
  const size_t mark = view.find('?');
  for (auto _ : state) {
    auto found = signer->check(view.substr(0, mark), view.substr(mark + 1));
    if (!found) give_up("refused");
    benchmark::DoNotOptimize(found);
  }
}

void check_token(benchmark::State& state, bool fresh) {
  const auto tokens = value_of(core::TokenAuthority::open(library().store.service().meta(), system_clock()));
  std::vector<std::string> texts;
  const int n = fresh ? 4096 : 1;
  texts.reserve(static_cast<size_t>(n));
  for (int i = 0; i < n; ++i) {
    texts.push_back(value_of(tokens->issue({.repository = 1,
                                            .repository_name = "model/team/big",
                                            .scope = core::Scope::kRead,
                                            .expires_at_s = 4'000'000'000,
                                            .principal = "somebody",
                                            .id = fmt::format("{}", i)})));
  }
  size_t next = 0;
  for (auto _ : state) {
    auto claims = tokens->check(texts[next++ % texts.size()]);
    if (!claims) give_up("refused");
    benchmark::DoNotOptimize(claims);
  }
}

const bool kRegistered = [] {
  for (const std::string_view data : {"random", "text", "bf16"}) {
    for (const bool known : {false, true}) {
      benchmark::RegisterBenchmark(fmt::format("ingest/{}/{}/64MiB", data, known ? "known" : "new").c_str(),
                                   [data, known](benchmark::State& state) { ingest(state, data, known); })
          ->Unit(benchmark::kMillisecond)
          ->UseRealTime();
    }
  }
  benchmark::RegisterBenchmark("reconstruct/1GiB/16_terms", reconstruct)->ThreadRange(1, 2)->UseRealTime();
  benchmark::RegisterBenchmark("reconstruct/range/4_terms", reconstruct_range);
  benchmark::RegisterBenchmark("open_xorb", open_xorb)->ThreadRange(1, 2)->UseRealTime();
  benchmark::RegisterBenchmark("sign_url", sign_url);
  benchmark::RegisterBenchmark("check_url", check_url);
  benchmark::RegisterBenchmark("check_token/seen", [](auto& state) { check_token(state, false); });
  benchmark::RegisterBenchmark("check_token/new", [](auto& state) { check_token(state, true); });
  return true;
}();

}  // namespace
}  // namespace xet::bench
