#include "codec/lz4.h"

#include <fmt/format.h>
#include <lz4.h>

#include <algorithm>
#include <array>

#include "base/check.h"
#include "codec/xxh32.h"

// Frames are taken apart and put together here, with the library doing the blocks. The library's frame
// decoder would allocate what a frame announces (8 MiB for 20 hostile bytes), cannot say whether an input
// that ended did so between two blocks, and copies each block of a class larger than the output; its frame
// encoder insists on room for the worst case, so that incompressible chunks would be copied once more.

namespace xet::codec {
namespace {

constexpr uint32_t kMagic = 0x184D2204U;
constexpr uint32_t kStoredBlock = 0x80000000U;
constexpr size_t kDictionaryWindow = 64 * 1024;

// Bits of the descriptor's first byte.
constexpr unsigned kVersionMask = 0xC0, kVersion1 = 0x40;
constexpr unsigned kIndependent = 0x20, kBlockChecksums = 0x10, kContentSize = 0x08, kContentChecksum = 0x04;
constexpr unsigned kReserved = 0x02, kDictionary = 0x01;

// What we write: independent blocks, no checksums, no sizes; block class 64 KiB or 256 KiB.
constexpr std::array<uint8_t, 7> kHeader64K = {0x04, 0x22, 0x4D, 0x18, 0x60, 0x40, 0x82};
constexpr std::array<uint8_t, 7> kHeader256K = {0x04, 0x22, 0x4D, 0x18, 0x60, 0x50, 0xFB};

void store32(std::byte* at, uint32_t value) {
  value = to_little_endian(value);
  std::memcpy(at, &value, sizeof value);
}

tl::unexpected<Error> bad_frame(size_t offset, std::string_view what) {
  return fail(ErrorCode::kCorruption, fmt::format("LZ4 frame: {} at offset {}", what, offset));
}

struct Frame {
  bool independent_blocks = false;
  bool block_checksums = false;
  bool content_checksum = false;
  std::optional<uint64_t> content_size;
  size_t max_block = 0;
};

Result<Frame> read_descriptor(ByteReader& in) {
  XET_TRY(const auto magic, in.le<uint32_t>());
  if (magic != kMagic) return bad_frame(0, "wrong magic number");
  const size_t begin = in.offset();
  XET_TRY(const auto flags, in.le<uint8_t>());
  XET_TRY(const auto block_class, in.le<uint8_t>());
  if ((flags & kVersionMask) != kVersion1) return bad_frame(begin, "unknown version");
  if ((flags & kReserved) != 0 || (block_class & 0x8F) != 0) return bad_frame(begin, "reserved bits are set");
  if ((flags & kDictionary) != 0) return bad_frame(begin, "a dictionary is needed");
  const unsigned size_code = block_class >> 4;
  if (size_code < 4) return bad_frame(begin + 1, "unknown block class");
  Frame frame;
  frame.independent_blocks = (flags & kIndependent) != 0;
  frame.block_checksums = (flags & kBlockChecksums) != 0;
  frame.content_checksum = (flags & kContentChecksum) != 0;
  frame.max_block = size_t{1} << (8 + 2 * size_code);  // 64 KiB, 256 KiB, 1 MiB, 4 MiB
  std::array<std::byte, 10> descriptor = {std::byte{flags}, std::byte{block_class}};
  size_t descriptor_size = 2;
  if ((flags & kContentSize) != 0) {
    XET_TRY(const auto size, in.take(8));
    std::copy(size.begin(), size.end(), descriptor.begin() + 2);
    descriptor_size = 10;
    ByteReader number(size);
    XET_TRY(frame.content_size, number.le<uint64_t>());
  }
  XET_TRY(const auto checksum, in.le<uint8_t>());
  if (checksum != static_cast<uint8_t>(xxh32(ByteSpan(descriptor).first(descriptor_size)) >> 8)) {
    return bad_frame(in.offset() - 1, "wrong header checksum");
  }
  return frame;
}

/// Decodes one block to out[done..]; returns its length.
Result<size_t> read_block(const Frame& frame, ByteSpan block, bool stored, size_t offset, MutableByteSpan out,
                          size_t done) {
  const size_t room = std::min(out.size() - done, frame.max_block);
  if (stored) {
    if (block.size() > room) return bad_frame(offset, "more content than announced");
    std::copy(block.begin(), block.end(), out.begin() + static_cast<ptrdiff_t>(done));
    return block.size();
  }
  const auto* source = reinterpret_cast<const char*>(block.data());
  auto* end = reinterpret_cast<char*>(out.data()) + done;
  // A block that decodes to nothing is fine where nothing is wanted, but the library refuses most forms of it
  // when it is given no room at all.
  char spare = 0;
  char* const target = room > 0 ? end : &spare;
  const int capacity = room > 0 ? static_cast<int>(room) : 1;
  // A linked block may refer to the 64 KiB before it, which is where it decodes to.
  const size_t history = frame.independent_blocks ? 0 : std::min(done, kDictionaryWindow);
  const int n = history == 0
                    ? LZ4_decompress_safe(source, target, static_cast<int>(block.size()), capacity)
                    : LZ4_decompress_safe_usingDict(source, target, static_cast<int>(block.size()), capacity,
                                                    end - history, static_cast<int>(history));
  if (n < 0 || static_cast<size_t>(n) > room)
    return bad_frame(offset, fmt::format("a block that does not decode to at most {} bytes", room));
  return static_cast<size_t>(n);
}

}  // namespace

struct Lz4::State {
  std::unique_ptr<std::byte[]> table = std::make_unique<std::byte[]>(static_cast<size_t>(LZ4_sizeofState()));
};

Lz4::Lz4() : state_(std::make_unique<State>()) {}
Lz4::~Lz4() = default;
Lz4::Lz4(Lz4&&) noexcept = default;
Lz4& Lz4::operator=(Lz4&&) noexcept = default;

std::optional<size_t> Lz4::compress(ByteSpan in, MutableByteSpan out) {
  XET_CHECK(in.size() <= kMaxInput);
  const auto& header = in.size() <= 64 * 1024 ? kHeader64K : kHeader256K;
  const size_t n_block_headers = in.empty() ? 0 : 1;
  const size_t around = header.size() + 4 * n_block_headers + 4;
  if (out.size() < around) return std::nullopt;
  std::memcpy(out.data(), header.data(), header.size());
  size_t at = header.size();
  if (!in.empty()) {
    const size_t room = out.size() - around;
    std::byte* block = out.data() + at + 4;
    const int n = LZ4_compress_fast_extState(state_->table.get(), reinterpret_cast<const char*>(in.data()),
                                             reinterpret_cast<char*>(block), static_cast<int>(in.size()),
                                             static_cast<int>(std::min(room, in.size() - 1)), 1);
    uint32_t size_word = static_cast<uint32_t>(n);
    if (n <= 0) {  // a block never grows: it is stored instead, where there is room for that
      if (room < in.size()) return std::nullopt;
      std::memcpy(block, in.data(), in.size());
      size_word = static_cast<uint32_t>(in.size()) | kStoredBlock;
    }
    store32(out.data() + at, size_word);
    at += 4 + (size_word & ~kStoredBlock);
  }
  store32(out.data() + at, 0);
  return at + 4;
}

Status Lz4::decompress(ByteSpan payload, MutableByteSpan out) {
  ByteReader in(payload);
  XET_TRY(const Frame frame, read_descriptor(in));
  if (frame.content_size && *frame.content_size != out.size()) {
    return bad_frame(6,
                     fmt::format("content size {} where {} was announced", *frame.content_size, out.size()));
  }
  size_t done = 0;
  bool ended = false;
  while (!ended && in.remaining() >= 4) {  // fewer bytes: the end mark is missing, which readers tolerate
    const size_t offset = in.offset();
    XET_TRY(const auto word, in.le<uint32_t>());
    if (word == 0) {
      ended = true;
      continue;
    }
    const size_t block_len = word & ~kStoredBlock;
    if (block_len > frame.max_block) return bad_frame(offset, "a block longer than its class");
    XET_TRY(const auto block, in.take(block_len));
    if (frame.block_checksums) {
      XET_TRY(const auto checksum, in.le<uint32_t>());
      if (checksum != xxh32(block)) return bad_frame(offset, "a block with a wrong checksum");
    }
    XET_TRY(const size_t n, read_block(frame, block, (word & kStoredBlock) != 0, offset, out, done));
    done += n;
  }
  if (done != out.size()) {
    return bad_frame(in.offset(),
                     fmt::format("{} bytes of content where {} were announced", done, out.size()));
  }
  if (ended && frame.content_checksum) {
    XET_TRY(const auto checksum, in.le<uint32_t>());
    if (checksum != xxh32(out)) return bad_frame(in.offset() - 4, "wrong content checksum");
  }
  return {};
}

}  // namespace xet::codec
