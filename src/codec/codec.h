#pragma once

#include <memory>
#include <optional>

#include "base/bytes.h"
#include "codec/lz4.h"
#include "codec/scheme.h"
#include "xet/result.h"

namespace xet::codec {

/// Packs and unpacks chunks of all schemes. It owns the working memory that takes (about 16 KiB, plus up to
/// the longest byte-grouped chunk seen, plus what the LZ4 library wants for unusual frames), so keep one per
/// thread of use or per strand, not one per chunk. Not thread-safe; may move between threads.
class Codec {
 public:
  /// Longest chunk of pack().
  static constexpr size_t kMaxInput = Lz4::kMaxInput;

  /// Packs `chunk` into `out` and returns the payload's length; nullopt when it does not fit. Give
  /// `chunk.size() - 1` bytes of room to get exactly the payloads that pay. The two must not overlap.
  std::optional<size_t> pack(Scheme scheme, ByteSpan chunk, MutableByteSpan out);

  /// Unpacks a payload that must hold exactly out.size() bytes; kCorruption otherwise, and then what `out`
  /// holds is unspecified. The two must not overlap.
  Status unpack(Scheme scheme, ByteSpan payload, MutableByteSpan out);

 private:
  MutableByteSpan grouped(size_t n);

  Lz4 lz4_;
  std::unique_ptr<std::byte[]> grouped_;
  size_t grouped_capacity_ = 0;
};

}  // namespace xet::codec
