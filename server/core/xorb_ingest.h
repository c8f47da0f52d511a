#pragma once

#include <span>
#include <stop_token>

#include "base/bytes.h"
#include "server/store/meta_store.h"
#include "server/store/object_store.h"
#include "xet/result.h"

namespace xet::core {

/// What storing a xorb needs. Borrowed.
struct IngestContext {
  store::ObjectStore& objects;
  store::MetaStore& meta;
};

/// Verifies an uploaded xorb chunk by chunk and stores it durably with a footer of ours; true when it is new,
/// false when the store had it (then it is verified all the same, and nothing is written). The first one
/// stored under a hash stays: a hash covers chunks, not their packed form, so another upload may have other
/// bytes.
///
/// kCorruption: the body is not a sequence of chunks within the limits of a xorb (names chunk and offset), or
/// makes another name. kCancelled when `stop` fires before the object has its name. Memory: one chunk and the
/// footer.
Result<bool> ingest_xorb(const IngestContext& context, store::RepositoryId repository, const XorbHash& name,
                         std::span<const ByteSpan> body, const std::stop_token& stop);

}  // namespace xet::core
