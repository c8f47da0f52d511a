#include "cas/url_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace xet::cas {

UrlTable::UrlTable(FetchLayout layout, Requery requery)
    : requery_(std::move(requery)),
      state_(std::make_shared<Sync<State>>(State{.layout = std::move(layout), .generation = 0})) {}

UrlTable::Source UrlTable::source(size_t entry, uint64_t at) {
  auto state = state_->lock();
  XET_CHECK(entry < state->layout.entries.size());
  const auto& pieces = state->layout.entries[entry].pieces;
  const auto piece = std::find_if(pieces.begin(), pieces.end(), [&](const auto& one) {
    return one.bytes.begin <= at && at < one.bytes.end;
  });
  XET_CHECK(piece != pieces.end());
  return {state->layout.urls[piece->url], piece->bytes, state->generation, piece->url};
}

std::vector<ByteRange> UrlTable::signed_ranges(const Source& source) {
  auto state = state_->lock();
  if (state->generation != source.generation) return {source.signed_for};
  return state->layout.signed_ranges[source.url_index];
}

Status UrlTable::replace(State& state, FetchLayout layout) {
  const auto& old = state.layout.entries;
  if (layout.entries.size() != old.size()) {
    return fail(ErrorCode::kCorruption, fmt::format("asked again, the store names {} ranges to fetch, not {}",
                                                    layout.entries.size(), old.size()));
  }
  for (size_t i = 0; i < old.size(); ++i) {
    const auto& now = layout.entries[i];
    if (now.xorb != old[i].xorb || now.chunks != old[i].chunks || now.bytes != old[i].bytes) {
      return fail(ErrorCode::kCorruption,
                  fmt::format("asked again, the store lays xorb {} out otherwise", old[i].xorb.hex()));
    }
  }
  state.layout = std::move(layout);
  ++state.generation;
  return {};
}

void UrlTable::refresh(uint64_t generation, std::stop_token stop, Callback<void> done) {
  const auto is_newer = [generation](Sync<State>& state) { return state.lock()->generation != generation; };
  if (is_newer(*state_)) return done({});
  flight_.join(std::move(stop), std::move(done),
               [this, is_newer](std::stop_token flight_stop, Callback<void> landed) {
                 if (is_newer(*state_)) return landed({});  // another flight landed since we looked
                 requery_(std::move(flight_stop),
                          [state = state_, landed = std::move(landed)](Result<FetchLayout> layout) mutable {
                            if (!layout) return landed(tl::unexpected(std::move(layout).error()));
                            auto replaced = replace(*state->lock(), std::move(*layout));
                            landed(std::move(replaced));
                          });
               });
}

}  // namespace xet::cas
