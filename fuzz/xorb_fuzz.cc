// Xorb bodies, with or without footer: reading in pieces must equal reading at once, and what is accepted is
// a valid object once its footer is written.
#include <algorithm>
#include <cstdlib>

#include "format/xorb_check.h"
#include "format/xorb_stream.h"

namespace {

using xet::ByteSpan, xet::ByteVector;
using namespace xet::format;

xet::Result<XorbFooter> read_in_pieces(ByteSpan body, xet::codec::Codec& codec) {
  XorbStreamReader reader(codec, XorbStreamReader::Footer::kAllowed, {});
  for (size_t n = 1; !body.empty(); n = n * 3 % 1009) {
    const ByteSpan piece = body.first(std::min(n, body.size()));
    XET_TRY_STATUS(reader.feed(piece));
    body = body.subspan(piece.size());
  }
  return reader.finish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ByteSpan input = std::as_bytes(std::span(data, size));
  xet::codec::Codec codec;
  const auto whole = rebuild_footer(input, codec);
  const auto pieces = read_in_pieces(input, codec);
  if (whole.has_value() != pieces.has_value() || (whole && *whole != *pieces)) std::abort();
  if (whole && whole->chunk_count() > 0) {
    ByteVector object(input.begin(), input.begin() + whole->ends.packed_size());
    whole->append_to(object);
    const auto checked = check_xorb(object, whole->hash, codec);
    if (!checked || *checked != *whole) std::abort();
  }

  const auto footer = XorbFooter::parse_tail(input, input.size());
  const auto ends = parse_boundaries(input);
  if (footer && footer->ends.has_unpacked()) {
    if (footer->chunk_count() > 0 && (!ends || *ends != footer->ends)) std::abort();
    ByteVector again(input.begin(), input.begin() + footer->ends.packed_size());
    footer->append_to(again);
    const auto reread = XorbFooter::parse_tail(again, again.size());
    if (!reread || *reread != *footer) std::abort();
  }
  return 0;
}
