#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "codec/codec.h"
#include "server/core/cas_service.h"
#include "xet/hash.h"
#include "xet/result.h"

namespace xet::core {

/// Rebuilds a stored file piece by piece, for clients that want it as it is. Every chunk is compared with its
/// hash before a byte of it is given away, and only chunks that overlap what is asked for are read. Not
/// thread-safe; holds the memory that decoding takes.
class FileReader {
 public:
  /// About how much one read() gives.
  static constexpr uint64_t kPiece = uint64_t{2} << 20;

  /// The service must outlive the reader.
  FileReader(CasService& service, const Principal& who, const FileHash& file)
      : service_(service), who_(who), file_(file) {}

  /// Puts bytes of the file into `out`, from `begin` on and not beyond `end`: at least one, up to the end of
  /// a chunk. Blocks. kNotFound when the file is unknown or not the principal's to read; kCorruption when the
  /// store is damaged: then nothing of the damaged chunk is in `out`.
  Status read(uint64_t begin, uint64_t end, ByteVector& out);

 private:
  Status append(const Reconstruction& plan, uint64_t skip, uint64_t wanted, ByteVector& out);

  CasService& service_;
  const Principal who_;
  const FileHash file_;
  codec::Codec codec_;
  ByteVector scratch_;
};

}  // namespace xet::core
