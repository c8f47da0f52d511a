// The JSON that tells how to rebuild files. The first byte chooses the form. What is accepted must keep the
// promises of cas::Reconstruction.
#include <cstdlib>

#include "cas/fetch_layout.h"
#include "cas/grant.h"
#include "cas/token_source.h"
#include "cas/wire_reconstruction.h"

namespace {

void check(xet::cas::WireFetches fetches) {
  const auto layout = xet::cas::make_layout(std::move(fetches));
  if (!layout) return;
  if (layout->urls.size() != layout->signed_ranges.size()) std::abort();
  const xet::cas::FetchEntry* before = nullptr;
  for (const auto& entry : layout->entries) {
    if (entry.chunks.begin >= entry.chunks.end || entry.pieces.empty()) std::abort();
    if (before != nullptr && before->xorb == entry.xorb &&
        (before->chunks.end > entry.chunks.begin || before->bytes.end > entry.bytes.begin)) {
      std::abort();
    }
    uint64_t at = entry.bytes.begin;
    for (const auto& piece : entry.pieces) {
      if (piece.bytes.begin != at || piece.bytes.end <= at || piece.url >= layout->urls.size()) std::abort();
      at = piece.bytes.end;
    }
    if (at != entry.bytes.end) std::abort();
    before = &entry;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const xet::ByteSpan input = std::as_bytes(std::span(data, size));
  if (input.empty()) return 0;
  const auto text = input.subspan(1);
  switch (std::to_integer<unsigned>(input.front())) {
    case '1':
      if (auto answer = xet::cas::parse_reconstruction_v1(text)) check(std::move(answer->fetches));
      break;
    case '2':
      if (auto answer = xet::cas::parse_reconstruction_v2(text)) check(std::move(answer->fetches));
      break;
    case 'b':
      if (auto answer = xet::cas::parse_batch_reconstruction(text)) check(std::move(answer->fetches));
      break;
    case 'g':
      if (const auto grant = xet::cas::parse_grant(text)) (void)xet::cas::is_usable(*grant, 5);
      break;
    default:
      (void)xet::cas::parse_token_answer(text);
  }
  return 0;
}
