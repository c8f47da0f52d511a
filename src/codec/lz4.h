#pragma once

#include <memory>
#include <optional>

#include "base/bytes.h"
#include "xet/result.h"

namespace xet::codec {

/// LZ4 frames (docs/format/compression.md). The object holds the 16 KiB of working memory that the library
/// wants for compressing: one per thread of use; may move between threads.
class Lz4 {
 public:
  Lz4();
  ~Lz4();
  Lz4(Lz4&&) noexcept;
  Lz4& operator=(Lz4&&) noexcept;

  /// Bytes that a frame has beside its one block: header 7, block size 4, end mark 4.
  static constexpr size_t kFrameOverhead = 15;
  /// Longest input of compress(): what one block of the frame's largest class used here holds.
  static constexpr size_t kMaxInput = 256 * 1024;

  /// Packs `in` (at most kMaxInput bytes) as one frame into `out` and returns the frame's length; nullopt
  /// when it does not fit. Needs no more room than the frame takes, so that giving `in.size() - 1` bytes
  /// asks for exactly the frames that pay. `in` and `out` must not overlap.
  std::optional<size_t> compress(ByteSpan in, MutableByteSpan out);

  /// Unpacks the first frame of `payload`, which must hold exactly out.size() bytes. Any standard frame is
  /// read (linked blocks, checksums, all block classes), except that dictionaries are refused. Bytes after
  /// the end mark are ignored; an end mark that is missing at the end of the payload is tolerated.
  /// Otherwise kCorruption with the offset in the payload; what `out` holds then is unspecified. Needs no
  /// memory beside `out`, whatever block size the frame announces. `payload` and `out` must not overlap.
  static Status decompress(ByteSpan payload, MutableByteSpan out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace xet::codec
