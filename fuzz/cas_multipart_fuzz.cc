// A multipart/byteranges body: the first byte says in what pieces it comes. However it is cut, the parts and
// the verdict are the same, and no part is longer than it says.
#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "cas/multipart.h"

namespace {

using xet::ByteSpan;
using xet::cas::MultipartParser;

struct Seen {
  std::vector<xet::cas::ByteRange> parts;
  std::string data;
  bool failed = false;
  bool at_end = false;
  friend bool operator==(const Seen&, const Seen&) = default;
};

Seen read(ByteSpan body, size_t step) {
  MultipartParser parser("b");
  Seen out;
  uint64_t left = 0;
  while (!body.empty()) {
    ByteSpan piece = body.first(std::min(step, body.size()));
    body = body.subspan(piece.size());
    while (!piece.empty()) {
      const auto event = parser.next(piece);
      if (!event) {
        out.failed = true;
        return out;
      }
      if (event->kind == MultipartParser::Kind::kPart) {
        if (left != 0) std::abort();
        out.parts.push_back(event->part.bytes);
        left = event->part.bytes.size();
      } else if (event->kind == MultipartParser::Kind::kData) {
        if (event->data.size() > left || event->data.empty()) std::abort();
        left -= event->data.size();
        out.data += xet::as_chars(event->data);
      }
      if (parser.body_left() != left) std::abort();
    }
  }
  out.at_end = parser.at_end();
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ByteSpan input = std::as_bytes(std::span(data, size));
  if (input.empty()) return 0;
  const auto body = input.subspan(1);
  const auto whole = read(body, SIZE_MAX);
  auto cut = read(body, 1 + std::to_integer<size_t>(input.front()));
  // An error shows when its byte comes, so what was taken before it does not depend on the cut either.
  if (!(cut == whole)) std::abort();
  const std::string text(xet::as_chars(body));
  if (const auto boundary = xet::cas::multipart_boundary(text); boundary && boundary->size() > 70)
    std::abort();
  if (const auto range = xet::cas::parse_content_range(text)) {
    if (range->bytes.begin >= range->bytes.end || (range->total && *range->total < range->bytes.end))
      std::abort();
  }
  return 0;
}
