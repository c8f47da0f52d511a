#include "format/samples.h"

#include <algorithm>
#include <stdexcept>

#include "hash/blake3.h"
#include "support/generators.h"
#include "support/temp_dir.h"

namespace xet::testing {

ByteVector SampleXorb::object() const {
  ByteVector out = body;
  footer.append_to(out);
  return out;
}

SampleXorb sample_xorb(size_t n_chunks, uint64_t seed) {
  SampleXorb out;
  SplitMix64 random(seed);
  codec::Codec codec;
  format::XorbFooterBuilder builder;
  ByteVector buffer(format::max_encoded_chunk(format::kMaxChunkBytes));
  for (size_t i = 0; i < n_chunks; ++i) {
    const size_t n = random.below(16) == 0 ? format::kMaxChunkBytes : 1 + random.below(20'000);
    const uint64_t chunk_seed = random.next();
    const auto kind = random.below(3);
    out.chunks.push_back(kind == 0   ? random_bytes(n, chunk_seed)
                         : kind == 1 ? text_bytes(n, chunk_seed)
                                     : bf16_bytes(n, chunk_seed));
    const auto scheme = static_cast<codec::Scheme>(random.below(3));
    const size_t size = format::encode_chunk(out.chunks.back(), scheme, codec, buffer);
    append_bytes(out.body, ByteSpan(buffer).first(size));
    const auto packed_len = static_cast<uint32_t>(size - format::ChunkHeader::kEncodedSize);
    if (!builder.add(hash::chunk_hash(out.chunks.back()), packed_len, static_cast<uint32_t>(n))) {
      throw std::logic_error("sample too large");
    }
  }
  out.footer = builder.finish();
  return out;
}

format::Shard sample_shard(size_t n_files, size_t n_xorbs, uint64_t seed) {
  SplitMix64 random(seed);
  format::Shard out;
  for (size_t x = 0; x < n_xorbs; ++x) {
    format::XorbRecord xorb;
    xorb.hash = XorbHash(random_hash(random.next()));
    const size_t n_chunks = 1 + random.below(20);
    for (size_t i = 0; i < n_chunks; ++i) {
      const auto len = static_cast<uint32_t>(8192 + random.below(100'000));
      xorb.chunks.push_back({ChunkHash(random_hash(random.next())), xorb.unpacked_bytes, len, 0});
      xorb.unpacked_bytes += len;
    }
    xorb.packed_bytes = random.below(2) == 0 ? 0 : xorb.unpacked_bytes / 2;
    out.xorbs.push_back(std::move(xorb));
  }
  for (size_t f = 0; f < n_files; ++f) {
    format::FileRecord file;
    file.hash = FileHash(random_hash(random.next()));
    const size_t n_terms = random.below(5);
    for (size_t t = 0; n_xorbs > 0 && t < n_terms; ++t) {
      const auto& xorb = out.xorbs[random.below(n_xorbs)];
      format::FileTerm term{xorb.hash};
      term.chunk_begin = static_cast<uint32_t>(random.below(xorb.chunks.size()));
      term.chunk_end =
          static_cast<uint32_t>(term.chunk_begin + 1 + random.below(xorb.chunks.size() - term.chunk_begin));
      for (uint32_t i = term.chunk_begin; i < term.chunk_end; ++i)
        term.unpacked_len += xorb.chunks[i].len_bytes;
      file.terms.push_back(term);
      file.verification.push_back(RangeHash(random_hash(random.next())));
    }
    if (random.below(2) == 0) file.sha256 = Sha256Digest(random_hash(random.next()));
    out.files.push_back(std::move(file));
  }
  const auto by_hash = [](const auto& a, const auto& b) { return a.hash < b.hash; };
  std::ranges::sort(out.xorbs, by_hash);
  std::ranges::sort(out.files, by_hash);
  return out;
}

ByteVector golden(std::string_view name) {
  return read_bytes(test_data("golden") / name);
}

void poke(ByteVector& bytes, size_t offset, uint64_t value, size_t n_bytes) {
  for (size_t i = 0; i < n_bytes; ++i) bytes.at(offset + i) = static_cast<std::byte>(value >> (8 * i));
}

}  // namespace xet::testing
