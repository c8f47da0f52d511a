#pragma once

#include <string>

#include "apps/xet/output.h"
#include "base/bytes.h"
#include "xet/result.h"

namespace xet::cli {

/// The bytes of a file that `xet inspect` explains.
struct InspectedFile {
  std::string path;
  ByteSpan bytes;
  bool verify = false;  ///< unpack and hash everything
};

/// True for what begins as a xorb or ends as one.
bool looks_like_xorb(ByteSpan bytes);
/// True for what begins as a shard.
bool looks_like_shard(ByteSpan bytes);

/// Prints what the object holds, as far as it can be read. The error is the first thing wrong with it
/// (kCorruption, with the offset).
Status inspect_xorb(Output& out, const InspectedFile& file);
Status inspect_shard(Output& out, const InspectedFile& file);

/// The hash that a file's name holds between its dots, as stores name their objects: `HASH`, `HASH.0`,
/// `default.HASH`, `HASH.mdb`. Empty when there is none.
std::string hash_in_name(const std::string& path);

/// packed / unpacked in per cent.
std::string ratio_text(uint64_t packed, uint64_t unpacked);

}  // namespace xet::cli
