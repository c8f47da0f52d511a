// Differential target of the chunker: every scan kernel, the resolver over segments of any size and order,
// and the push chunker must cut as the plain rule does. The input is a small program that lays out long data,
// because nothing happens in the first 8 KiB of a chunk.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <vector>

#include "chunk/chunker.h"
#include "chunk/gear.h"

namespace {

using xet::ByteReader;
using xet::ByteSpan;
using xet::ByteVector;
using Numbers = std::vector<uint32_t>;

constexpr size_t kMaxData = 400'000;

void expect(bool condition) {
  if (!condition) std::abort();
}

/// Steps of three bytes: what, and a length. Reads as far as it makes sense.
ByteVector lay_out(ByteReader& in) {
  ByteVector out;
  while (in.remaining() >= 3 && out.size() < kMaxData) {
    const auto what = in.le<uint8_t>().value();
    const size_t length = std::min<size_t>(in.le<uint16_t>().value(), kMaxData - out.size());
    const size_t begin = out.size();
    switch (what % 4) {
      case 0:  // bytes of the input
        xet::append_bytes(out, in.take(std::min(length, in.remaining())).value());
        break;
      case 1:  // a constant: no triggers
        out.resize(begin + length, static_cast<std::byte>(what));
        break;
      case 2: {  // a trigger at every third byte from the 64th on
        constexpr uint8_t kPeriod[3] = {0x12, 0x04, 0x00};
        for (size_t i = 0; i < length; ++i) out.push_back(static_cast<std::byte>(kPeriod[i % 3]));
        break;
      }
      default: {  // the last bytes again and again
        const size_t period = std::min<size_t>(begin, 1 + what / 4U);
        for (size_t i = 0; i < length && period > 0; ++i) out.push_back(out[out.size() - period]);
      }
    }
  }
  return out;
}

struct Expected {
  Numbers triggers;
  Numbers lengths;
};

/// The rule of docs/format/chunking.md, one byte after the other.
Expected plain_rule(ByteSpan data) {
  Expected out;
  uint64_t h = 0;
  uint32_t length = 0;
  for (size_t i = 0; i < data.size(); ++i) {
    h = (h << 1) + xet::chunk::gear_table()[std::to_integer<size_t>(data[i])];
    ++length;
    const bool trigger = i + 1 >= 64 && (h >> 48) == 0;
    if (trigger) out.triggers.push_back(static_cast<uint32_t>(i + 1));
    if ((trigger && length >= 8192) || length == 131072) {
      out.lengths.push_back(length);
      length = 0;
    }
  }
  if (length > 0) out.lengths.push_back(length);
  return out;
}

void check_kernel(const xet::chunk::ScanKernel& kernel, ByteSpan data, const Numbers& triggers,
                  size_t limit) {
  Numbers found;
  expect(kernel.scan(data, 0, data.size(), found) && found == triggers);
  found.clear();
  const bool fits = kernel.scan(data, 0, limit, found);
  expect(fits == (triggers.size() <= limit));
  expect(found == (fits ? triggers : Numbers{}));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t size) {
  ByteReader in(std::as_bytes(std::span(input, size)));
  if (size < 8) return 0;
  const size_t segment = 1 + in.le<uint32_t>().value() % 300'000;
  const size_t limit = in.le<uint16_t>().value();
  const size_t step = 1 + in.le<uint16_t>().value();
  const ByteVector data = lay_out(in);
  if (segment < 64 && data.size() > 20'000) return 0;  // too many segments to be worth the time

  const auto [triggers, lengths] = plain_rule(data);
  const auto backwards = [](size_t n, const std::function<void(size_t)>& task) {
    while (n-- > 0) task(n);
  };
  for (const auto& kernel : xet::chunk::scan_kernels()) {
    if (!kernel.supported()) continue;
    check_kernel(kernel, data, triggers, limit);
    expect(xet::chunk::parallel_chunk_lengths(data, segment, backwards, kernel) == lengths);
  }

  Numbers pushed;
  const auto add = [&](uint32_t length) { pushed.push_back(length); };
  xet::chunk::Chunker chunker;
  for (size_t at = 0; at < data.size(); at += step) {
    chunker.feed(ByteSpan(data).subspan(at, std::min(step, data.size() - at)), add);
  }
  chunker.finish(add);
  expect(pushed == lengths);
  return 0;
}
