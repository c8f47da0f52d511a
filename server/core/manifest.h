#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "format/xorb_footer.h"
#include "server/store/meta_store.h"
#include "server/store/object_store.h"
#include "xet/result.h"

namespace xet::core {

/// One term of a file as the store keeps it: a run of chunks of one generation of a xorb.
struct ManifestTerm {
  uint64_t file_begin = 0;    ///< first byte in the file
  uint32_t unpacked_len = 0;  ///< bytes of the run
  uint32_t xorb = 0;          ///< index into the manifest's xorbs
  uint32_t chunk_begin = 0;
  uint32_t chunk_end = 0;
  format::PackedRange packed;  ///< in the object of the manifest's generation

  friend bool operator==(const ManifestTerm&, const ManifestTerm&) = default;
};

struct ManifestXorb {
  XorbHash hash;
  uint64_t id = 0;
  uint32_t generation = 0;

  friend bool operator==(const ManifestXorb&, const ManifestXorb&) = default;
};

/// Collects the terms of a file, in order, and writes its manifest (docs/format/store.md). Not thread-safe.
class ManifestBuilder {
 public:
  /// The run must not be empty.
  void add(const store::XorbRow& xorb, uint32_t chunk_begin, uint32_t chunk_end, format::PackedRange packed,
           uint32_t unpacked_len);
  uint64_t file_size() const { return file_size_; }
  uint32_t n_terms() const { return n_terms_; }
  ByteVector finish() const;

 private:
  std::unordered_map<uint64_t, uint32_t> index_of_;  // by xorb id
  ByteVector xorbs_;
  ByteVector terms_;
  uint64_t file_size_ = 0;
  uint32_t n_terms_ = 0;
};

/// Reads parts of a manifest, wherever it lies, without loading the rest. kCorruption for a manifest that
/// contradicts itself where it is read. Thread-safe.
class Manifest {
 public:
  static Result<Manifest> open(std::unique_ptr<store::ObjectReader> object);
  static Result<Manifest> open(ByteVector bytes);

  uint64_t file_size() const { return file_size_; }
  uint32_t n_terms() const { return n_terms_; }

  /// The terms that hold bytes of [begin, end), which must lie inside the file and not be empty.
  Result<std::vector<ManifestTerm>> terms_covering(uint64_t begin, uint64_t end) const;
  Result<ManifestXorb> xorb(uint32_t index) const;
  uint32_t n_xorbs() const { return n_xorbs_; }

 private:
  explicit Manifest(std::unique_ptr<store::ObjectReader> object) : object_(std::move(object)) {}
  uint64_t term_offset(uint64_t index) const;
  Result<uint64_t> term_file_begin(uint32_t index) const;
  Result<std::vector<ManifestTerm>> read_terms(uint32_t first, uint32_t n) const;

  std::unique_ptr<store::ObjectReader> object_;
  uint64_t file_size_ = 0;
  uint32_t n_xorbs_ = 0;
  uint32_t n_terms_ = 0;
};

/// The manifest of a registered file, wherever it lies, compared with its row. kNotFound when its object is
/// missing.
Result<Manifest> open_manifest(store::ObjectStore& objects, store::FileRow row);

}  // namespace xet::core
