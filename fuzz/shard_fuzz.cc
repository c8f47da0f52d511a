// Shards of all forms: what is accepted can be written and read back, the streaming parser reports the same
// records however the input is cut, and lookups never leave the bytes.
#include <algorithm>
#include <cstdlib>

#include "format/shard_stream.h"
#include "format/shard_view.h"

namespace {

using xet::ByteSpan, xet::Status;
using namespace xet::format;

xet::Result<Shard> read_in_pieces(ByteSpan input, size_t first_piece) {
  Shard out;
  const auto keep_file = [&out](FileRecord file) -> Status {
    out.files.push_back(std::move(file));
    return {};
  };
  const auto keep_xorb = [&out](XorbRecord xorb) -> Status {
    out.xorbs.push_back(std::move(xorb));
    return {};
  };
  ShardStreamParser parser(input.size(), keep_file, keep_xorb);
  for (size_t n = first_piece; !input.empty(); n = n * 3 % 1009) {
    const ByteSpan piece = input.first(std::min(n, input.size()));
    XET_TRY_STATUS(parser.feed(piece));
    input = input.subspan(piece.size());
  }
  XET_TRY_STATUS(parser.finish());
  return out;
}

void look_up(const ShardView& view, const Shard& records) {
  const bool has_tables = view.footer() && view.footer()->has_tables;  // which may say anything
  for (const auto& file : records.files) {
    const auto found = view.find_file(file.hash);
    if (!has_tables && (!found || !*found || (*found)->hash != file.hash)) std::abort();
  }
  for (const auto& xorb : records.xorbs) {
    const auto found = view.find_xorb(xorb.hash);
    if (!has_tables && (!found || !*found || (*found)->hash != xorb.hash)) std::abort();
    for (const auto& chunk : xorb.chunks) {
      const auto places = view.find_chunk(chunk.hash);
      if (!places) continue;
      for (const auto& place : *places) {
        const auto run = view.match_run(place, {&chunk.hash, 1});
        if (run && run->n_chunks != 1) std::abort();
      }
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const ByteSpan input = std::as_bytes(std::span(data, size));
  const auto shard = Shard::parse(input);
  const auto view = ShardView::open(input);
  if (shard) {
    const auto again = Shard::parse(shard->serialise());
    if (!again || again->files != shard->files || again->xorbs != shard->xorbs) std::abort();
    if (!view) std::abort();
  }
  const auto at_once = read_in_pieces(input, std::max<size_t>(size, 1));
  const auto pieces = read_in_pieces(input, 1);
  if (at_once.has_value() != pieces.has_value() || (at_once && *at_once != *pieces)) std::abort();
  if (shard && at_once && at_once->xorbs != shard->xorbs) std::abort();
  if (view) {
    if (shard && !(view->is_keyed() && !shard->xorbs.empty())) look_up(*view, *shard);
    (void)view->for_each_file([](const FileRecord&) {});
    (void)view->for_each_xorb([](const XorbRecord&) {});
    (void)view->for_each_chunk([&](const ShardView::ChunkPlace&, const xet::ChunkHash&) {});
  }
  return 0;
}
