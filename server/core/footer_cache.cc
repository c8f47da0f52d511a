#include "server/core/footer_cache.h"

#include <fmt/format.h>

#include <utility>

#include "server/core/open_xorb.h"

namespace xet::core {

Result<std::shared_ptr<const format::XorbFooter>> FooterCache::get(const store::XorbRow& xorb) {
  {
    auto entries = entries_.lock();
    if (const auto known = entries->by_id.find(xorb.id); known != entries->by_id.end()) {
      entries->by_use.splice(entries->by_use.begin(), entries->by_use, known->second);
      return known->second->footer;
    }
  }
  XET_TRY(auto footer, load(xorb));
  const size_t bytes = sizeof(Entry) + format::XorbFooter::encoded_size(footer->chunk_count());
  auto entries = entries_.lock();
  if (entries->by_id.contains(xorb.id)) return footer;
  entries->by_use.push_front({.id = xorb.id, .bytes = bytes, .footer = footer});
  entries->by_id.emplace(xorb.id, entries->by_use.begin());
  entries->bytes += bytes;
  while (entries->bytes > max_bytes_) {
    const auto& oldest = entries->by_use.back();
    entries->bytes -= oldest.bytes;
    entries->by_id.erase(oldest.id);
    entries->by_use.pop_back();
  }
  return footer;
}

Result<std::shared_ptr<const format::XorbFooter>> FooterCache::load(const store::XorbRow& xorb) const {
  XET_TRY(const auto object, open_xorb(objects_, xorb));
  if (xorb.tail_bytes > format::XorbFooter::kMaxTail || xorb.tail_bytes > xorb.object_bytes) {
    return fail(ErrorCode::kCorruption, fmt::format("xorb {}: its row claims a footer of {} bytes",
                                                    xorb.hash.hex(), xorb.tail_bytes));
  }
  ByteVector tail(xorb.tail_bytes);
  XET_TRY_STATUS(object->read_at(xorb.packed_bytes(), tail));
  auto footer = format::XorbFooter::parse_tail(tail, xorb.object_bytes);
  if (!footer) return fail(std::move(footer).error(), fmt::format("stored xorb {}", xorb.hash.hex()));
  if (footer->hash != xorb.hash || footer->chunk_count() != xorb.n_chunks || !footer->ends.has_unpacked()) {
    return fail(ErrorCode::kCorruption,
                fmt::format("stored xorb {}: its footer describes something else", xorb.hash.hex()));
  }
  return std::make_shared<const format::XorbFooter>(*std::move(footer));
}

}  // namespace xet::core
