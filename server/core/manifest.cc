#include "server/core/manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <utility>

#include "base/check.h"

namespace xet::core {

namespace {

constexpr std::string_view kIdentifier = "XETMANI\x01";  // the last byte is the version
constexpr size_t kHeaderSize = 24;
constexpr size_t kXorbSize = 44;
constexpr size_t kTermSize = 28;
// Terms read at once: 28 KiB.
constexpr uint32_t kPage = 1024;

class BytesReader final : public store::ObjectReader {
 public:
  explicit BytesReader(ByteVector bytes) : bytes_(std::move(bytes)) {}
  uint64_t size_bytes() const override { return bytes_.size(); }
  Status read_at(uint64_t offset, MutableByteSpan into) const override {
    if (offset > bytes_.size() || into.size() > bytes_.size() - offset) {
      return fail(ErrorCode::kCorruption, fmt::format("inline manifest ends at {}, {} bytes wanted at {}",
                                                      bytes_.size(), into.size(), offset));
    }
    std::memcpy(into.data(), bytes_.data() + offset, into.size());
    return {};
  }

 private:
  ByteVector bytes_;
};

}  // namespace

void ManifestBuilder::add(const store::XorbRow& xorb, uint32_t chunk_begin, uint32_t chunk_end,
                          format::PackedRange packed, uint32_t unpacked_len) {
  XET_CHECK(unpacked_len > 0 && n_terms_ < std::numeric_limits<uint32_t>::max());
  const auto [entry, is_new] = index_of_.try_emplace(xorb.id, static_cast<uint32_t>(index_of_.size()));
  if (is_new) {
    append_hash(xorbs_, xorb.hash);
    append_le<uint64_t>(xorbs_, xorb.id);
    append_le<uint32_t>(xorbs_, xorb.generation);
  }
  append_le<uint64_t>(terms_, file_size_);
  append_le<uint32_t>(terms_, entry->second);
  append_le<uint32_t>(terms_, chunk_begin);
  append_le<uint32_t>(terms_, chunk_end);
  append_le<uint32_t>(terms_, packed.begin);
  append_le<uint32_t>(terms_, packed.end);
  file_size_ += unpacked_len;
  ++n_terms_;
}

ByteVector ManifestBuilder::finish() const {
  ByteVector out(kHeaderSize + xorbs_.size() + terms_.size());
  size_t at = 0;
  const auto put = [&](const void* data, size_t size) {
    std::memcpy(out.data() + at, data, size);
    at += size;
  };
  const uint64_t file_size = to_little_endian(file_size_);
  const uint32_t counts[] = {to_little_endian(static_cast<uint32_t>(index_of_.size())),
                             to_little_endian(n_terms_)};
  put(kIdentifier.data(), kIdentifier.size());
  put(&file_size, sizeof file_size);
  put(counts, sizeof counts);
  if (!xorbs_.empty()) put(xorbs_.data(), xorbs_.size());
  if (!terms_.empty()) put(terms_.data(), terms_.size());
  return out;
}

Result<Manifest> Manifest::open(ByteVector bytes) {
  return open(std::make_unique<BytesReader>(std::move(bytes)));
}

Result<Manifest> Manifest::open(std::unique_ptr<store::ObjectReader> object) {
  Manifest out(std::move(object));
  std::array<std::byte, kHeaderSize> bytes;
  XET_TRY_STATUS(out.object_->read_at(0, bytes));
  ByteReader in(bytes);
  XET_TRY(const auto identifier, in.take(kIdentifier.size()));
  if (as_chars(identifier) != kIdentifier) return fail(ErrorCode::kCorruption, "not a manifest of version 1");
  XET_TRY(out.file_size_, in.le<uint64_t>());
  XET_TRY(out.n_xorbs_, in.le<uint32_t>());
  XET_TRY(out.n_terms_, in.le<uint32_t>());
  if (out.term_offset(out.n_terms_) != out.object_->size_bytes()) {
    return fail(ErrorCode::kCorruption, fmt::format("a manifest of {} xorbs and {} terms has {} bytes",
                                                    out.n_xorbs_, out.n_terms_, out.object_->size_bytes()));
  }
  return out;
}

uint64_t Manifest::term_offset(uint64_t index) const {
  return kHeaderSize + uint64_t{n_xorbs_} * kXorbSize + index * kTermSize;
}

Result<uint64_t> Manifest::term_file_begin(uint32_t index) const {
  std::array<std::byte, 8> bytes;
  XET_TRY_STATUS(object_->read_at(term_offset(index), bytes));
  return ByteReader(bytes).le<uint64_t>();
}

Result<std::vector<ManifestTerm>> Manifest::read_terms(uint32_t first, uint32_t n) const {
  // One more, for where the last one ends; the file's last term ends with the file.
  const bool has_next = first + n < n_terms_;
  ByteVector bytes(size_t{n} * kTermSize + (has_next ? 8 : 0));
  XET_TRY_STATUS(object_->read_at(term_offset(first), bytes));
  ByteReader in(bytes);
  std::vector<ManifestTerm> out(n);
  for (auto& term : out) {
    XET_TRY(term.file_begin, in.le<uint64_t>());
    XET_TRY(term.xorb, in.le<uint32_t>());
    XET_TRY(term.chunk_begin, in.le<uint32_t>());
    XET_TRY(term.chunk_end, in.le<uint32_t>());
    XET_TRY(term.packed.begin, in.le<uint32_t>());
    XET_TRY(term.packed.end, in.le<uint32_t>());
  }
  uint64_t end = file_size_;
  if (has_next) {
    XET_TRY(end, in.le<uint64_t>());
  }
  for (uint32_t i = n; i-- > 0;) {
    auto& term = out[i];
    if (term.file_begin >= end || end - term.file_begin > std::numeric_limits<uint32_t>::max() ||
        term.xorb >= n_xorbs_ || term.chunk_begin >= term.chunk_end || term.packed.begin >= term.packed.end) {
      return fail(ErrorCode::kCorruption, fmt::format("term {} of a manifest contradicts itself", first + i));
    }
    term.unpacked_len = static_cast<uint32_t>(end - term.file_begin);
    end = term.file_begin;
  }
  return out;
}

Result<std::vector<ManifestTerm>> Manifest::terms_covering(uint64_t begin, uint64_t end) const {
  XET_CHECK(begin < end && end <= file_size_);
  if (n_terms_ == 0)
    return fail(ErrorCode::kCorruption, "a manifest of a file that is not empty has no terms");
  uint32_t low = 0;  // begins at or before `begin`
  uint32_t high = n_terms_;
  while (high - low > 1) {
    const uint32_t middle = low + (high - low) / 2;
    XET_TRY(const uint64_t file_begin, term_file_begin(middle));
    (file_begin <= begin ? low : high) = middle;
  }
  std::vector<ManifestTerm> out;
  for (uint32_t first = low; first < n_terms_; first += kPage) {
    XET_TRY(const auto page, read_terms(first, std::min(kPage, n_terms_ - first)));
    const uint64_t expected =
        out.empty() ? page.front().file_begin : out.back().file_begin + out.back().unpacked_len;
    if (page.front().file_begin != expected || page.front().file_begin > std::max(begin, expected)) {
      return fail(ErrorCode::kCorruption, fmt::format("term {} of a manifest is out of order", first));
    }
    for (const auto& term : page) {
      if (term.file_begin >= end) return out;
      out.push_back(term);
    }
  }
  return out;
}

Result<ManifestXorb> Manifest::xorb(uint32_t index) const {
  XET_CHECK(index < n_xorbs_);
  std::array<std::byte, kXorbSize> bytes;
  XET_TRY_STATUS(object_->read_at(kHeaderSize + uint64_t{index} * kXorbSize, bytes));
  ByteReader in(bytes);
  ManifestXorb out;
  XET_TRY(out.hash, in.hash<XorbHash>());
  XET_TRY(out.id, in.le<uint64_t>());
  XET_TRY(out.generation, in.le<uint32_t>());
  return out;
}

Result<Manifest> open_manifest(store::ObjectStore& objects, store::FileRow row) {
  std::unique_ptr<store::ObjectReader> object;
  if (row.inline_manifest.empty()) {
    XET_TRY(object, objects.open(store::manifest_key(row.hash, row.manifest_generation)));
  }
  XET_TRY(auto manifest,
          object ? Manifest::open(std::move(object)) : Manifest::open(std::move(row.inline_manifest)));
  if (manifest.file_size() != row.size_bytes) {
    return fail(ErrorCode::kCorruption, fmt::format("its manifest is for {} bytes, its row for {}",
                                                    manifest.file_size(), row.size_bytes));
  }
  return manifest;
}

}  // namespace xet::core
