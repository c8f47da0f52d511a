#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "base/bytes.h"
#include "chunk/gear.h"

namespace xet::chunk {

inline constexpr uint32_t kTargetChunk = 65536;
inline constexpr uint32_t kMinChunk = kTargetChunk / 8;  ///< only the last chunk of a file may be shorter
inline constexpr uint32_t kMaxChunk = kTargetChunk * 2;

/// Turns the triggers of a file's segments, given in file order, into cuts: the first trigger at least
/// kMinChunk after the last cut, or the cut at kMaxChunk. The scan, which costs, runs before and in any
/// order; this part is serial and costs a few steps per chunk.
///
///     CutResolver resolver;
///     for (segment of file, in order) resolver.resolve(found, bytes, context, cuts);
///     last_chunk_length = resolver.finish();
///
/// One per file. Not thread-safe; a strand may move it between threads. Keeps no bytes.
class CutResolver {
 public:
  /// Appends the cuts of the next segment to `cuts`: positions 1..segment length, ascending, counted from the
  /// segment's start. `bytes` and `context` are those given to the scan that made `found`. The bytes are read
  /// only when `found` is dense.
  void resolve(const Candidates& found, ByteSpan bytes, size_t context, std::vector<uint32_t>& cuts);

  /// Length of the chunk that is open at the end of what was resolved; less than kMaxChunk.
  uint32_t open_bytes() const { return open_; }

  /// The file ends here: the length of its last chunk, 0 when the file is empty or ended with a cut. Ready
  /// for another file afterwards.
  uint32_t finish();

 private:
  uint32_t open_ = 0;
};

/// The chunker for bytes that come in order and in pieces of any size. Keeps no bytes: it only says where
/// chunks end. Serial and without overhead for small inputs; big files go through ScanKernel and CutResolver.
///
///     Chunker chunker;
///     chunker.feed(bytes, [&](uint32_t length) { lengths.push_back(length); });
///     chunker.finish([&](uint32_t length) { lengths.push_back(length); });
///
/// Not thread-safe.
class Chunker {
 public:
  /// What one step did: `consumed` bytes of the input belong to the chunk that was open; `chunk_len` is that
  /// chunk's length when it ends there, 0 when all input was consumed and the chunk is still open.
  struct Step {
    size_t consumed = 0;
    uint32_t chunk_len = 0;
  };
  /// Takes bytes up to the end of the open chunk, at most all of them.
  Step step(ByteSpan bytes);

  /// Takes all bytes; calls on_chunk(uint32_t length) for each chunk that ended in them.
  template <class OnChunk>
  void feed(ByteSpan bytes, OnChunk&& on_chunk) {
    while (!bytes.empty()) {
      const Step done = step(bytes);
      if (done.chunk_len != 0) on_chunk(done.chunk_len);
      bytes = bytes.subspan(done.consumed);
    }
  }
  /// End of the file: calls on_chunk for the last chunk if there is one. Ready for another file afterwards.
  template <class OnChunk>
  void finish(OnChunk&& on_chunk) {
    if (open_ != 0) on_chunk(open_);
    *this = Chunker();
  }

  uint32_t open_bytes() const { return open_; }

 private:
  uint64_t h_ = 0;
  uint32_t open_ = 0;
};

/// The chunk lengths of a whole file that is in memory.
std::vector<uint32_t> chunk_lengths(ByteSpan whole);

/// Runs task(0) … task(n - 1), in any order and on any threads, and returns when all are done.
using RunAll = std::function<void(size_t n, const std::function<void(size_t)>& task)>;

/// The same lengths, with the scan cut in segments of `segment_bytes` that `run_all` may run in parallel.
std::vector<uint32_t> parallel_chunk_lengths(ByteSpan whole, size_t segment_bytes, const RunAll& run_all,
                                             const ScanKernel& kernel = best_scan_kernel());

}  // namespace xet::chunk
