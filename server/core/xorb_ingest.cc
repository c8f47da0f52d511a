#include "server/core/xorb_ingest.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "codec/codec.h"
#include "format/xorb_stream.h"

namespace xet::core {

namespace {

using store::ObjectReader;
using store::ObjectWriter;
using store::XorbRow;

// Verified and written at a time; between two the stop token is asked.
constexpr size_t kStep = 4 << 20;
// What is read at a time when an object that is already there has to be verified.
constexpr size_t kReadStep = 1 << 20;
// Generations tried when the objects found under the first ones are unusable. More than one is already
// strange.
constexpr uint32_t kMaxAttempts = 8;

/// Walks over the bytes of several pieces.
class Pieces {
 public:
  explicit Pieces(std::span<const ByteSpan> pieces) : pieces_(pieces) {}

  /// The next piece, or what is left of it, at most `limit` bytes. Empty at the end.
  ByteSpan next(size_t limit) {
    while (index_ < pieces_.size()) {
      const ByteSpan rest = pieces_[index_].subspan(offset_);
      if (!rest.empty()) {
        const ByteSpan out = rest.first(std::min(rest.size(), limit));
        offset_ += out.size();
        return out;
      }
      ++index_;
      offset_ = 0;
    }
    return {};
  }

  /// The next `n` bytes as views; n must not exceed what is left.
  void take(uint64_t n, std::vector<ByteSpan>& out) {
    while (n > 0) {
      out.push_back(next(static_cast<size_t>(std::min<uint64_t>(n, SIZE_MAX))));
      n -= out.back().size();
    }
  }

 private:
  std::span<const ByteSpan> pieces_;
  size_t index_ = 0;
  size_t offset_ = 0;
};

tl::unexpected<Error> in_xorb(const XorbHash& name, const Error& error) {
  return fail(error, fmt::format("xorb {}", name.hex()));
}

Result<format::XorbFooter> check_name(Result<format::XorbFooter> footer, const XorbHash& name) {
  if (!footer) return in_xorb(name, std::move(footer).error());
  if (footer->chunk_count() == 0) {
    return fail(ErrorCode::kCorruption, fmt::format("xorb {}: the body holds no chunk", name.hex()));
  }
  if (footer->hash != name) {
    return fail(ErrorCode::kCorruption,
                fmt::format("xorb {}: its chunks make {}", name.hex(), footer->hash.hex()));
  }
  return footer;
}

/// Verifies the body; what is verified goes to `writer` on the way, when there is one.
Result<format::XorbFooter> verify(const XorbHash& name, std::span<const ByteSpan> body, ObjectWriter* writer,
                                  const std::stop_token& stop) {
  codec::Codec codec;
  format::XorbStreamReader reader(codec, format::XorbStreamReader::Footer::kAllowed, {});
  Pieces unread(body);
  Pieces unwritten(body);
  std::vector<ByteSpan> verified;
  for (;;) {
    if (stop.stop_requested()) return fail(ErrorCode::kCancelled, fmt::format("storing xorb {}", name.hex()));
    bool at_end = false;
    for (size_t fed = 0; fed < kStep && !at_end;) {
      const ByteSpan piece = unread.next(kStep - fed);
      at_end = piece.empty();
      fed += piece.size();
      if (at_end) break;
      if (auto status = reader.feed(piece); !status) return in_xorb(name, std::move(status).error());
    }
    if (writer != nullptr) {
      // Whole chunks only, so that a footer behind them is left out.
      verified.clear();
      unwritten.take(reader.body_size() - writer->size_bytes(), verified);
      XET_TRY_STATUS(writer->append(verified));
    }
    if (at_end) return check_name(reader.finish(), name);
  }
}

XorbRow row_of(const format::XorbFooter& footer, uint32_t generation) {
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

/// The row for an object that somebody left under our key: a writer of the same xorb who has not come to
/// write its row, or who crashed before. kCorruption when it is not that xorb with a footer of ours.
Result<XorbRow> adopt(const ObjectReader& object, const XorbHash& name, uint32_t generation) {
  codec::Codec codec;
  format::XorbStreamReader reader(codec, format::XorbStreamReader::Footer::kAllowed, {});
  ByteVector buffer(static_cast<size_t>(std::min<uint64_t>(kReadStep, object.size_bytes())));
  for (uint64_t at = 0; at < object.size_bytes(); at += buffer.size()) {
    buffer.resize(static_cast<size_t>(std::min<uint64_t>(kReadStep, object.size_bytes() - at)));
    XET_TRY_STATUS(object.read_at(at, buffer));
    XET_TRY_STATUS(reader.feed(buffer));
  }
  XET_TRY(const auto footer, check_name(reader.finish(), name));
  const XorbRow row = row_of(footer, generation);
  if (row.object_bytes != object.size_bytes()) {
    return fail(ErrorCode::kCorruption, fmt::format("the object of xorb {} has no footer", name.hex()));
  }
  return row;
}

/// Writes the body as the object of one generation. Gives the row that belongs to the object now under that
/// key, ours or another writer's; nothing when what is there is unusable.
Result<std::optional<XorbRow>> write_object(const IngestContext& context, const XorbHash& name,
                                            uint32_t generation, std::span<const ByteSpan> body,
                                            const std::stop_token& stop) {
  const auto key = store::xorb_key(name, generation);
  XET_TRY(auto writer, context.objects.create(key));
  XET_TRY(const auto footer, verify(name, body, writer.get(), stop));
  ByteVector tail;
  footer.append_to(tail);
  const ByteSpan tail_bytes(tail);
  XET_TRY_STATUS(writer->append(std::span(&tail_bytes, 1)));
  XET_TRY(const bool ours, writer->publish());
  if (ours) return row_of(footer, generation);

  XET_TRY(const auto object, context.objects.open(key));
  auto row = adopt(*object, name, generation);
  if (row) return *row;
  if (row.error().code == ErrorCode::kCorruption) return std::nullopt;
  return tl::unexpected(std::move(row).error());
}

Result<bool> store_new(const IngestContext& context, store::RepositoryId repository, const XorbHash& name,
                       uint32_t first_generation, std::span<const ByteSpan> body,
                       const std::stop_token& stop) {
  for (uint32_t attempt = 0; attempt < kMaxAttempts; ++attempt) {
    XET_TRY(const auto row, write_object(context, name, first_generation + attempt, body, stop));
    if (!row) continue;
    XET_TRY(const auto outcome, context.meta.insert_xorb(repository, *row));
    // Another generation won. Nobody can come to use ours: its row would be refused in the same way.
    if (!outcome.inserted && outcome.row.generation != row->generation) {
      (void)context.objects.remove(store::xorb_key(name, row->generation));
    }
    return outcome.inserted;
  }
  return fail(
      ErrorCode::kCorruption,
      fmt::format("xorb {}: the store holds {} damaged objects under this name", name.hex(), kMaxAttempts));
}

}  // namespace

Result<bool> ingest_xorb(const IngestContext& context, store::RepositoryId repository, const XorbHash& name,
                         std::span<const ByteSpan> body, const std::stop_token& stop) {
  for (;;) {
    XET_TRY(const auto known, context.meta.find_xorb(name));
    if (!known.usable) return store_new(context, repository, name, known.next_generation, body, stop);
    XET_TRY(const auto footer, verify(name, body, nullptr, stop));
    if (known.usable->state == store::XorbState::kLive) return false;
    XET_TRY(const bool revived, context.meta.revive_xorb(*known.usable));
    if (revived) return false;
    // deleted since it was looked up: now it is new
  }
}

}  // namespace xet::core
