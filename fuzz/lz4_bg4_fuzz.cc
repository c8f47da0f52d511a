// LZ4 frames: three bytes say how much content is announced, the rest is the payload. Our reader of frames
// must agree with the library's; the kernels of byte grouping must agree with each other.
#include <lz4frame.h>

#include <algorithm>
#include <cstdlib>

#include "codec/byte_grouping.h"
#include "codec/lz4.h"

namespace {

using xet::ByteSpan, xet::ByteVector;
using xet::codec::Lz4;

struct LibraryResult {
  bool complete = false;  // the frame ended, checksums and all
  bool failed = false;
  ByteVector content;  // at most one byte more than was announced
};

LibraryResult decode_with_library(ByteSpan payload, size_t n) {
  LibraryResult out;
  LZ4F_dctx* context = nullptr;
  if (LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION))) std::abort();
  out.content.resize(n + 1);
  size_t done = 0;
  for (;;) {
    size_t n_out = out.content.size() - done;
    size_t n_in = payload.size();
    const size_t hint =
        LZ4F_decompress(context, out.content.data() + done, &n_out, payload.data(), &n_in, nullptr);
    out.failed = LZ4F_isError(hint) != 0;
    if (out.failed) break;
    done += n_out;
    payload = payload.subspan(n_in);
    out.complete = hint == 0;
    if (out.complete || (n_in == 0 && n_out == 0)) break;
  }
  LZ4F_freeDecompressionContext(context);
  out.content.resize(done);
  return out;
}

void compare_frames(ByteSpan payload, size_t n) {
  ByteVector content(n);
  const bool ok = Lz4::decompress(payload, content).has_value();
  constexpr size_t kFlags = 4;
  const bool is_frame = payload.size() > kFlags && payload[0] == std::byte{0x04};
  const bool wants_dictionary = is_frame && (payload[kFlags] & std::byte{1}) != std::byte{0};
  const LibraryResult library = decode_with_library(payload, n);
  if (ok && (library.failed || library.content != content)) std::abort();
  const bool must_be_read = is_frame && !wants_dictionary && library.complete && library.content.size() == n;
  if (must_be_read && !ok) std::abort();
}

void round_trips(ByteSpan bytes) {
  ByteVector first, back(bytes.size());
  for (const auto& kernel : xet::codec::byte_grouping_kernels()) {
    if (!kernel.supported()) continue;
    ByteVector grouped(bytes.size());
    kernel.group(bytes, grouped);
    if (first.empty()) first = grouped;
    kernel.regroup(grouped, back);
    if (grouped != first || !std::ranges::equal(back, bytes)) std::abort();
  }
  Lz4 lz4;
  ByteVector frame(bytes.size() + Lz4::kFrameOverhead);
  const auto size = lz4.compress(bytes, frame);
  if (!size || !Lz4::decompress(ByteSpan(frame).first(*size), back) || !std::ranges::equal(back, bytes)) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3) return 0;
  const size_t announced =
      (size_t{data[0]} | size_t{data[1]} << 8 | size_t{data[2]} << 16) % (128 * 1024 + 1);
  const ByteSpan payload = std::as_bytes(std::span(data, size)).subspan(3);
  compare_frames(payload, announced);
  if (payload.size() <= Lz4::kMaxInput) round_trips(payload);
  return 0;
}
