#include "format/xorb_check.h"

#include <fmt/format.h>

#include "format/xorb_stream.h"

namespace xet::format {

Result<XorbFooter> rebuild_footer(ByteSpan body, codec::Codec& codec) {
  XorbStreamReader reader(codec, XorbStreamReader::Footer::kAllowed, {});
  XET_TRY_STATUS(reader.feed(body));
  return reader.finish();
}

Result<XorbFooter> check_xorb(ByteSpan object, const XorbHash& name, codec::Codec& codec) {
  XET_TRY(const XorbFooter footer, XorbFooter::parse_tail(object, object.size()));
  if (footer.chunk_count() == 0) return fail(ErrorCode::kCorruption, "a xorb without chunks");
  const auto compare = [&footer](const StreamedChunk& chunk) -> Status {
    const auto differs = [&](std::string_view what) {
      return fail(ErrorCode::kCorruption,
                  fmt::format("xorb chunk {} at offset {}: its {} not what the footer says", chunk.index,
                              chunk.offset, what));
    };
    const size_t i = chunk.index;
    if (i >= footer.chunk_count()) return differs("existence is");
    if (chunk.hash != footer.chunk_hashes[i]) return differs("hash is");
    if (chunk.offset + chunk.encoded.size() != footer.ends.packed_ends[i]) return differs("packed end is");
    if (footer.ends.has_unpacked() && chunk.header.unpacked_len != footer.ends.chunk_len(i)) {
      return differs("uncompressed length is");
    }
    return {};
  };
  XorbStreamReader reader(codec, XorbStreamReader::Footer::kForbidden, compare);
  XET_TRY_STATUS(reader.feed(object.first(footer.ends.packed_size())));
  XET_TRY(XorbFooter rebuilt, reader.finish());
  if (rebuilt.hash != footer.hash) {
    return fail(ErrorCode::kCorruption,
                fmt::format("xorb: its chunks make {} but the footer at offset {} says {}",
                            rebuilt.hash.hex(), footer.ends.packed_size(), footer.hash.hex()));
  }
  if (rebuilt.hash != name) {
    return fail(ErrorCode::kCorruption,
                fmt::format("xorb: its chunks make {}, not {}", rebuilt.hash.hex(), name.hex()));
  }
  return rebuilt;
}

}  // namespace xet::format
