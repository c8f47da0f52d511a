#include "server/core/file_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "format/xorb.h"
#include "hash/blake3.h"

namespace xet::core {

namespace {

/// The packed chunks of one range, and where each begins.
struct LoadedRange {
  const Reconstruction::Range* range = nullptr;
  ByteVector packed;
  std::vector<size_t> begins;
};

tl::unexpected<Error> damaged(const XorbHash& xorb, std::string_view what) {
  return fail(ErrorCode::kCorruption, fmt::format("xorb {}: {}", xorb.hex(), what));
}

Result<format::ChunkHeader> header_at(ByteSpan packed, size_t at) {
  constexpr size_t kSize = format::ChunkHeader::kEncodedSize;
  if (packed.size() - at < kSize) return fail(ErrorCode::kCorruption, "a chunk has no whole header");
  XET_TRY(const auto header, format::ChunkHeader::parse(packed.subspan(at).first<kSize>()));
  if (packed.size() - at - kSize < header.packed_len) {
    return fail(ErrorCode::kCorruption, "a chunk is cut off");
  }
  return header;
}

Result<LoadedRange> load(CasService& service, const store::XorbRow& row, const Reconstruction::Range& range) {
  XET_TRY(const auto xorb, service.open_xorb(row.hash, row.generation));
  LoadedRange out{.range = &range, .packed = ByteVector(range.packed.size()), .begins = {}};
  XET_TRY_STATUS(xorb.object->read_at(range.packed.begin, out.packed));
  size_t at = 0;
  for (uint32_t chunk = range.chunk_begin; chunk < range.chunk_end; ++chunk) {
    const auto header = header_at(out.packed, at);
    if (!header) return damaged(row.hash, header.error().message);
    out.begins.push_back(at);
    at += format::ChunkHeader::kEncodedSize + header->packed_len;
  }
  if (at != out.packed.size()) return damaged(row.hash, "its chunks do not fill their range");
  return out;
}

/// The range that holds a term; there is exactly one.
const LoadedRange* find_range(const std::vector<LoadedRange>& ranges, const Reconstruction::Term& term) {
  const auto found = std::ranges::find_if(ranges, [&](const LoadedRange& each) {
    return each.range->chunk_begin <= term.chunk_begin && term.chunk_end <= each.range->chunk_end;
  });
  return found == ranges.end() ? nullptr : &*found;
}

}  // namespace

Status FileReader::read(uint64_t begin, uint64_t end, ByteVector& out) {
  out.clear();
  const FileRange range{.begin = begin, .end = std::min(end, begin + kPiece)};
  XET_TRY(const auto plan, service_.reconstruct(who_, file_, range, ChunkHashes::kYes));
  XET_TRY_STATUS(append(plan, plan.offset_into_first_term, end - begin, out));
  if (out.empty()) {
    return fail(ErrorCode::kCorruption, fmt::format("file {} has no byte {}", file_.hex(), begin));
  }
  return {};
}

Status FileReader::append(const Reconstruction& plan, uint64_t skip, uint64_t wanted, ByteVector& out) {
  std::vector<std::vector<LoadedRange>> loaded(plan.xorbs.size());
  for (size_t i = 0; i < plan.xorbs.size(); ++i) {
    for (const auto& range : plan.xorbs[i].ranges) {
      XET_TRY(loaded[i].emplace_back(), load(service_, plan.xorbs[i].row, range));
    }
  }
  scratch_.resize(format::kMaxChunkBytes);
  for (const auto& term : plan.terms) {
    const auto& row = plan.xorbs[term.xorb].row;
    const auto* source = find_range(loaded[term.xorb], term);
    if (source == nullptr) return damaged(row.hash, "a term lies in none of its ranges");
    for (uint32_t chunk = term.chunk_begin; chunk < term.chunk_end; ++chunk) {
      const size_t index = chunk - source->range->chunk_begin;
      XET_TRY(const auto header, header_at(source->packed, source->begins[index]));
      const auto payload =
          ByteSpan(source->packed)
              .subspan(source->begins[index] + format::ChunkHeader::kEncodedSize, header.packed_len);
      const auto bytes = format::decode_chunk(header, payload, codec_, scratch_);
      if (!bytes) return damaged(row.hash, bytes.error().message);
      if (hash::chunk_hash(*bytes) != source->range->chunk_hashes[index]) {
        return damaged(row.hash, fmt::format("chunk {} has another content than its hash says", chunk));
      }
      const auto skipped = std::min<uint64_t>(skip, bytes->size());
      skip -= skipped;
      const auto rest = bytes->subspan(static_cast<size_t>(skipped));
      append_bytes(out,
                   rest.first(static_cast<size_t>(std::min<uint64_t>(rest.size(), wanted - out.size()))));
      if (out.size() == wanted) return {};
    }
  }
  return {};
}

}  // namespace xet::core
