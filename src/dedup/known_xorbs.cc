#include "dedup/known_xorbs.h"

#include <fmt/format.h>

#include <utility>

#include "base/check.h"
#include "hash/blake3.h"

namespace xet::dedup {

KnownXorbs::KnownXorbs(size_t max_chunks) : max_chunks_(max_chunks) {
  collection(HmacKey());
}

std::optional<ChunkPlace> KnownXorbs::find_outside(uint32_t xorb, const ChunkHash& chunk) const {
  for (const auto& [key, table] : collections_) {
    const auto stored = key.is_zero() ? chunk : hash::keyed_chunk_hash(key, chunk);
    const auto place = table.find(stored.word(0));
    if (place && place->xorb != xorb && holds(*place, chunk)) return place;
  }
  return std::nullopt;
}

bool KnownXorbs::holds(ChunkPlace place, const ChunkHash& chunk) const {
  const Xorb& xorb = xorbs_[place.xorb];
  if (xorb.dropped) return false;
  if (xorb.source == nullptr) return place.chunk < xorb.chunks.size() && xorb.chunks[place.chunk] == chunk;
  const auto run = xorb.source->view->match_run({xorb.record, place.chunk}, {&chunk, 1});
  return run && run->n_chunks == 1;  // a broken shard only loses us a match
}

Result<format::XorbRecord> KnownXorbs::record(uint32_t xorb) const {
  XET_CHECK(xorbs_[xorb].source != nullptr);
  XET_TRY(auto found, xorbs_[xorb].source->view->find_xorb(xorbs_[xorb].hash));
  if (!found) {
    return fail(ErrorCode::kCorruption,
                fmt::format("a shard does not find its xorb {}", xorbs_[xorb].hash.hex()));
  }
  return std::move(*found);
}

uint32_t KnownXorbs::open_xorb() {
  xorbs_.push_back({.origin = Origin::kSession});
  return static_cast<uint32_t>(xorbs_.size() - 1);
}

void KnownXorbs::append(uint32_t xorb, const ChunkHash& chunk) {
  auto& chunks = xorbs_[xorb].chunks;
  collections_.front().table.put(chunk.word(0), {xorb, static_cast<uint32_t>(chunks.size())});
  chunks.push_back(chunk);
}

void KnownXorbs::drop(uint32_t xorb) {
  xorbs_[xorb].dropped = true;
  std::vector<ChunkHash>().swap(xorbs_[xorb].chunks);
}

Status KnownXorbs::moved_to_shard(uint32_t xorb, const std::filesystem::path& path) {
  auto source = std::make_unique<Source>();
  XET_TRY(source->file, io::MappedFile::open(path));
  XET_TRY(source->view, format::ShardView::open(source->file->bytes()));
  std::optional<uint32_t> record;
  XET_TRY_STATUS(
      source->view->for_each_chunk([&](const format::ShardView::ChunkPlace& place, const ChunkHash& stored) {
        if (place.chunk_index == 0 && !record && stored == xorbs_[xorb].chunks.front())
          record = place.xorb_record;
      }));
  if (!record) return fail(ErrorCode::kInternal, fmt::format("{} does not describe its xorb", path.string()));
  xorbs_[xorb].source = source.get();
  xorbs_[xorb].record = *record;
  std::vector<ChunkHash>().swap(xorbs_[xorb].chunks);
  sources_.push_back(std::move(source));
  return {};
}

Status KnownXorbs::add_shard_file(const std::filesystem::path& path, Origin origin) {
  auto source = std::make_unique<Source>();
  XET_TRY(source->file, io::MappedFile::open(path));
  const auto name = ShardHash::from_hex(path.stem().string());
  if (!name || hash::shard_hash(source->file->bytes()) != *name) {
    return fail(ErrorCode::kCorruption,
                fmt::format("shard file {} does not hash to its name", path.string()));
  }
  XET_TRY(source->view, format::ShardView::open(source->file->bytes()));
  return index_source(std::move(source), origin);
}

Status KnownXorbs::add_shard(ByteVector shard, Origin origin) {
  auto source = std::make_unique<Source>();
  source->bytes = std::move(shard);
  XET_TRY(source->view, format::ShardView::open(source->bytes));
  return index_source(std::move(source), origin);
}

Status KnownXorbs::index_source(std::unique_ptr<Source> source, Origin origin) {
  const auto& footer = source->view->footer();
  auto& table = collection(footer ? footer->key : HmacKey()).table;
  const size_t n_before = xorbs_.size();
  Status names;
  auto indexed =
      source->view->for_each_chunk([&](const format::ShardView::ChunkPlace& place, const ChunkHash& stored) {
        if (place.chunk_index == 0) {
          Xorb xorb{.origin = origin, .source = source.get(), .record = place.xorb_record};
          // the run of no chunks still says which xorb it is
          if (const auto run = source->view->match_run(place, {})) {
            xorb.hash = run->xorb;
          } else if (names) {
            names = tl::unexpected(run.error());
          }
          xorbs_.push_back(std::move(xorb));
        }
        table.put(stored.word(0), {static_cast<uint32_t>(xorbs_.size() - 1), place.chunk_index});
      });
  if (indexed && !names) indexed = std::move(names);
  if (!indexed) {  // what is in the table already points to dropped xorbs
    for (size_t i = n_before; i < xorbs_.size(); ++i) xorbs_[i] = Xorb{.dropped = true};
    return indexed;
  }
  sources_.push_back(std::move(source));
  return {};
}

KnownXorbs::Collection& KnownXorbs::collection(const HmacKey& key) {
  for (auto& known : collections_) {
    if (known.key == key) return known;
  }
  return collections_.emplace_back(Collection{key, ChunkTable(max_chunks_)});
}

}  // namespace xet::dedup
