#pragma once

#include <string_view>
#include <vector>

#include "format/shard.h"
#include "format/xorb_footer.h"

namespace xet::testing {

/// A xorb of chunks of all kinds, with what its reader must find.
struct SampleXorb {
  std::vector<ByteVector> chunks;
  ByteVector body;
  format::XorbFooter footer;

  /// Body, footer and length field.
  ByteVector object() const;
};
SampleXorb sample_xorb(size_t n_chunks, uint64_t seed);

/// A shard without footer, sorted, that holds together: terms lie in its xorbs. `random_hash` values only.
format::Shard sample_shard(size_t n_files, size_t n_xorbs, uint64_t seed);

/// A file below tests/golden, and the JSON text beside it.
ByteVector golden(std::string_view name);

/// Overwrites an unsigned little-endian number of `n_bytes` bytes.
void poke(ByteVector& bytes, size_t offset, uint64_t value, size_t n_bytes = 4);

}  // namespace xet::testing
