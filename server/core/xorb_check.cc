#include "server/core/xorb_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "codec/codec.h"
#include "format/xorb_stream.h"

namespace xet::core {

namespace {
// Read at a time. What an upload may hold counts this too: see XorbUpload.
constexpr size_t kReadStep = 32 * 1024;
}  // namespace

Result<format::XorbFooter> check_name(Result<format::XorbFooter> footer, const XorbHash& name) {
  if (!footer) return fail(footer.error(), fmt::format("xorb {}", name.hex()));
  if (footer->chunk_count() == 0) {
    return fail(ErrorCode::kCorruption, fmt::format("xorb {}: the body holds no chunk", name.hex()));
  }
  if (footer->hash != name) {
    return fail(ErrorCode::kCorruption,
                fmt::format("xorb {}: its chunks make {}", name.hex(), footer->hash.hex()));
  }
  return footer;
}

store::XorbRow xorb_row(const format::XorbFooter& footer, uint32_t generation) {
  const auto tail = format::XorbFooter::encoded_size(footer.chunk_count()) + format::XorbFooter::kLengthField;
  return {
      .hash = footer.hash,
      .generation = generation,
      .object_bytes = footer.ends.packed_size() + tail,
      .tail_bytes = static_cast<uint32_t>(tail),
      .n_chunks = static_cast<uint32_t>(footer.chunk_count()),
      .unpacked_bytes = footer.ends.unpacked_size(),
  };
}

Result<format::XorbFooter> verify_xorb_object(const store::ObjectReader& object, const XorbHash& name,
                                              const std::stop_token& stop) {
  codec::Codec codec;
  format::XorbStreamReader reader(codec, format::XorbStreamReader::Footer::kAllowed, {});
  ByteVector buffer(static_cast<size_t>(std::min<uint64_t>(kReadStep, object.size_bytes())));
  for (uint64_t at = 0; at < object.size_bytes(); at += buffer.size()) {
    if (stop.stop_requested())
      return fail(ErrorCode::kCancelled, fmt::format("checking xorb {}", name.hex()));
    buffer.resize(static_cast<size_t>(std::min<uint64_t>(kReadStep, object.size_bytes() - at)));
    XET_TRY_STATUS(object.read_at(at, buffer));
    if (auto fed = reader.feed(buffer); !fed) return fail(fed.error(), fmt::format("xorb {}", name.hex()));
  }
  XET_TRY(auto footer, check_name(reader.finish(), name));
  if (xorb_row(footer, 0).object_bytes != object.size_bytes()) {
    return fail(ErrorCode::kCorruption, fmt::format("the object of xorb {} has no footer", name.hex()));
  }
  return footer;
}

}  // namespace xet::core
