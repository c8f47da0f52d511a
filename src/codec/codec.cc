#include "codec/codec.h"

#include <algorithm>

#include "base/check.h"
#include "codec/byte_grouping.h"

namespace xet::codec {

std::optional<size_t> Codec::pack(Scheme scheme, ByteSpan chunk, MutableByteSpan out) {
  switch (scheme) {
    case Scheme::kNone:
      if (chunk.size() > out.size()) return std::nullopt;
      std::copy(chunk.begin(), chunk.end(), out.begin());
      return chunk.size();
    case Scheme::kLz4:
      return lz4_.compress(chunk, out);
    case Scheme::kBg4Lz4: {
      XET_CHECK(chunk.size() <= kMaxInput);
      const MutableByteSpan bytes = grouped(chunk.size());
      group_bytes(chunk, bytes);
      return lz4_.compress(bytes, out);
    }
  }
  return std::nullopt;
}

Status Codec::unpack(Scheme scheme, ByteSpan payload, MutableByteSpan out) {
  switch (scheme) {
    case Scheme::kNone:
      if (payload.size() != out.size()) {
        return fail(ErrorCode::kCorruption, "a stored payload whose length is not the chunk's");
      }
      std::copy(payload.begin(), payload.end(), out.begin());
      return {};
    case Scheme::kLz4:
      return Lz4::decompress(payload, out);
    case Scheme::kBg4Lz4: {
      const MutableByteSpan bytes = grouped(out.size());
      XET_TRY_STATUS(Lz4::decompress(payload, bytes));
      regroup_bytes(bytes, out);
      return {};
    }
  }
  return fail(ErrorCode::kCorruption, "unknown compression scheme");
}

MutableByteSpan Codec::grouped(size_t n) {
  if (n > grouped_capacity_) {
    grouped_.reset(new std::byte[n]);  // not make_unique: every byte is written before it is read
    grouped_capacity_ = n;
  }
  return {grouped_.get(), n};
}

}  // namespace xet::codec
