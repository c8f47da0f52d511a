#include "server/sample_store.h"

#include <algorithm>
#include <cstring>
#include <future>
#include <stdexcept>
#include <utility>

#include "codec/codec.h"
#include "format/xorb.h"
#include "hash/blake3.h"
#include "hash/tree.h"
#include "support/generators.h"

namespace xet::testing {

namespace {

/// Turns a call with a callback into a blocking one.
template <class T, class Call>
Result<T> wait_for(Call call) {
  std::promise<Result<T>> promise;
  auto future = promise.get_future();
  call([&promise](Result<T> result) { promise.set_value(std::move(result)); });
  return future.get();
}

class CollectingSink final : public cas::FetchSink {
 public:
  explicit CollectingSink(size_t size) : bytes_(size) {}
  MutableByteSpan room(UniqueFunction<void()> /*resume*/) override {
    return MutableByteSpan(bytes_).subspan(filled_);
  }
  void filled(size_t n_bytes) override { filled_ += n_bytes; }
  Result<ByteVector> take() {
    if (filled_ != bytes_.size()) return fail(ErrorCode::kInternal, "the fetch delivered too little");
    return std::move(bytes_);
  }

 private:
  ByteVector bytes_;
  size_t filled_ = 0;
};

/// The chunks of a fetched range, decoded and compared with their hashes.
Result<std::vector<ByteVector>> decode(ByteSpan packed, const cas::FetchRange& range) {
  codec::Codec codec;
  ByteReader in(packed);
  std::vector<ByteVector> out;
  while (!in.at_end()) {
    XET_TRY(const auto header_bytes, in.take(format::ChunkHeader::kEncodedSize));
    XET_TRY(const auto header,
            format::ChunkHeader::parse(header_bytes.first<format::ChunkHeader::kEncodedSize>()));
    XET_TRY(const auto payload, in.take(header.packed_len));
    ByteVector scratch(header.unpacked_len);
    XET_TRY(const auto chunk, format::decode_chunk(header, payload, codec, scratch));
    out.emplace_back(chunk.begin(), chunk.end());
    const size_t index = out.size() - 1;
    if (index >= range.chunk_hashes.size() || hash::chunk_hash(chunk) != range.chunk_hashes[index]) {
      return fail(ErrorCode::kInternal, "a chunk does not have the hash that the store tells");
    }
  }
  if (out.size() != range.chunks.size())
    return fail(ErrorCode::kInternal, "a range holds another number of chunks");
  return out;
}

}  // namespace

SampleXorb pack_xorb(std::vector<ByteVector> chunks) {
  SampleXorb out;
  out.chunks = std::move(chunks);
  codec::Codec codec;
  hash::TreeHasher tree;
  for (const auto& chunk : out.chunks) {
    out.chunk_hashes.push_back(hash::chunk_hash(chunk));
    tree.add(
        hash::ChunkInfo{.hash = out.chunk_hashes.back(), .len_bytes = static_cast<uint32_t>(chunk.size())});
    ByteVector packed(format::max_encoded_chunk(chunk.size()));
    packed.resize(format::encode_chunk(chunk, codec, packed));
    append_bytes(out.body, packed);
  }
  out.hash = tree.finish_xorb();
  return out;
}

SampleXorb make_xorb(size_t n_chunks, uint64_t seed, size_t min_len, size_t max_len) {
  SplitMix64 random(seed);
  std::vector<ByteVector> chunks;
  for (size_t i = 0; i < n_chunks; ++i) {
    const size_t len = min_len + random.below(max_len - min_len + 1);
    chunks.push_back(i % 3 == 0 ? text_bytes(len, random.next()) : random_bytes(len, random.next()));
  }
  return pack_xorb(std::move(chunks));
}

format::FileRecord make_file(const std::vector<ChunkRun>& runs) {
  format::FileRecord out;
  hash::TreeHasher tree;
  for (const auto& run : runs) {
    format::FileTerm term{.xorb = run.xorb->hash, .chunk_begin = run.begin, .chunk_end = run.end};
    for (uint32_t i = run.begin; i < run.end; ++i) {
      const auto len = static_cast<uint32_t>(run.xorb->chunks[i].size());
      tree.add(hash::ChunkInfo{.hash = run.xorb->chunk_hashes[i], .len_bytes = len});
      term.unpacked_len += len;
    }
    out.terms.push_back(term);
    out.verification.push_back(
        hash::range_hash(std::span(run.xorb->chunk_hashes).subspan(run.begin, run.end - run.begin)));
  }
  out.hash = tree.finish_file();
  return out;
}

ByteVector content_of(const std::vector<ChunkRun>& runs) {
  ByteVector out;
  for (const auto& run : runs) {
    for (uint32_t i = run.begin; i < run.end; ++i) append_bytes(out, run.xorb->chunks[i]);
  }
  return out;
}

format::XorbRecord record_of(const SampleXorb& xorb) {
  format::XorbRecord out{.hash = xorb.hash, .chunks = {}};
  for (size_t i = 0; i < xorb.chunks.size(); ++i) {
    const auto len = static_cast<uint32_t>(xorb.chunks[i].size());
    out.chunks.push_back(
        {.hash = xorb.chunk_hashes[i], .unpacked_offset = out.unpacked_bytes, .len_bytes = len});
    out.unpacked_bytes += len;
  }
  return out;
}

ByteVector make_shard(std::vector<format::FileRecord> files, const std::vector<const SampleXorb*>& xorbs) {
  format::Shard shard;
  shard.files = std::move(files);
  for (const auto* xorb : xorbs) shard.xorbs.push_back(record_of(*xorb));
  const auto by_hash = [](const auto& a, const auto& b) { return a.hash < b.hash; };
  std::sort(shard.files.begin(), shard.files.end(), by_hash);
  std::sort(shard.xorbs.begin(), shard.xorbs.end(), by_hash);
  return shard.to_upload_form();
}

Result<cas::PutXorbOutcome> Store::put_xorb(cas::XorbBody body, std::stop_token stop) {
  return wait_for<cas::PutXorbOutcome>(
      [&](auto done) { cas_.put_xorb(std::move(body), std::move(stop), std::move(done)); });
}

Status Store::put_shard(ByteVector shard, std::stop_token stop) {
  return wait_for<void>(
      [&](auto done) { cas_.put_shard(std::move(shard), std::move(stop), std::move(done)); });
}

Result<bool> Store::xorb_exists(const XorbHash& xorb) {
  return wait_for<bool>([&](auto done) { cas_.xorb_exists(xorb, {}, std::move(done)); });
}

Result<uint64_t> Store::file_size(const FileHash& file) {
  return wait_for<uint64_t>([&](auto done) { cas_.file_size(file, {}, std::move(done)); });
}

Result<cas::Reconstruction> Store::reconstruct(const FileHash& file, std::optional<cas::ByteRange> range) {
  return wait_for<cas::Reconstruction>(
      [&](auto done) { cas_.reconstruct(file, range, {}, std::move(done)); });
}

Result<ByteVector> Store::fetch(const XorbHash& xorb, const cas::FetchRange& range) {
  const auto sink = std::make_shared<CollectingSink>(range.bytes.size());
  XET_TRY_STATUS(wait_for<void>(
      [&](auto done) { cas_.fetch({.xorb = xorb, .range = range, .sink = sink}, {}, std::move(done)); }));
  return sink->take();
}

Result<std::optional<ByteVector>> Store::query_dedup(const ChunkHash& chunk) {
  return wait_for<std::optional<ByteVector>>(
      [&](auto done) { cas_.query_dedup(chunk, {}, std::move(done)); });
}

Result<ByteVector> Store::read(const FileHash& file, std::optional<cas::ByteRange> range) {
  XET_TRY(const auto plan, reconstruct(file, range));
  struct Fetched {
    cas::ChunkRange chunks;
    std::vector<ByteVector> content;
  };
  std::unordered_map<XorbHash, std::vector<Fetched>> by_xorb;
  for (const auto& [xorb, ranges] : plan.fetches) {
    for (const auto& each : ranges) {
      XET_TRY(const auto packed, fetch(xorb, each));
      XET_TRY(auto content, decode(packed, each));
      by_xorb[xorb].push_back({.chunks = each.chunks, .content = std::move(content)});
    }
  }
  ByteVector out;
  for (const auto& term : plan.terms) {
    const Fetched* source = nullptr;
    for (const auto& each : by_xorb[term.xorb]) {
      if (each.chunks.contains(term.chunks)) source = &each;
    }
    if (source == nullptr) return fail(ErrorCode::kInternal, "a term lies in no fetch range");
    const size_t before = out.size();
    for (uint32_t i = term.chunks.begin; i < term.chunks.end; ++i) {
      append_bytes(out, source->content[i - source->chunks.begin]);
    }
    if (out.size() - before != term.unpacked_len)
      return fail(ErrorCode::kInternal, "a term has another length");
  }
  if (plan.offset_into_first_term > out.size()) return fail(ErrorCode::kInternal, "offset beyond the terms");
  out.erase(out.begin(), out.begin() + static_cast<ptrdiff_t>(plan.offset_into_first_term));
  if (range && out.size() > range->size()) out.resize(range->size());
  return out;
}

std::unique_ptr<cas::Cas> open_store(const std::filesystem::path& directory) {
  auto cas = server::open_local_cas(directory);
  if (!cas) throw std::runtime_error(cas.error().message);
  return *std::move(cas);
}

std::vector<std::string> objects_in(const std::filesystem::path& directory) {
  std::vector<std::string> out;
  for (const char* folder : {"x", "s", "m", "tmp"}) {
    if (!std::filesystem::exists(directory / folder)) continue;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory / folder)) {
      if (entry.is_regular_file()) out.push_back(entry.path().lexically_relative(directory).string());
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace xet::testing
