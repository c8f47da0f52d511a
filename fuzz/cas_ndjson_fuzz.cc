// The answer to a shard upload: the first byte says in what pieces it comes. However it is cut, the outcome
// is the same.
#include <algorithm>
#include <cstdlib>
#include <optional>

#include "cas/ndjson.h"

namespace {

using xet::ByteSpan;

std::optional<xet::cas::ShardOutcome> read(ByteSpan body, size_t step) {
  xet::cas::ShardFrameParser parser;
  while (!body.empty()) {
    const auto piece = body.first(std::min(step, body.size()));
    body = body.subspan(piece.size());
    const auto outcome = parser.push(piece);
    if (!outcome) return std::nullopt;
    if (outcome->has_value()) return *outcome;
  }
  auto outcome = parser.finish();
  if (!outcome) return std::nullopt;
  return *outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ByteSpan input = std::as_bytes(std::span(data, size));
  if (input.empty()) return 0;
  const auto whole = read(input.subspan(1), SIZE_MAX);
  const auto cut = read(input.subspan(1), 1 + std::to_integer<size_t>(input.front()));
  if (whole.has_value() != cut.has_value()) std::abort();
  if (whole && (whole->is_success != cut->is_success || whole->is_retryable != cut->is_retryable ||
                whole->message != cut->message)) {
    std::abort();
  }
  return 0;
}
