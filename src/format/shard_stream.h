#pragma once

#include <cstdint>
#include <optional>
#include <unordered_set>

#include "base/unique_function.h"
#include "format/shard.h"

namespace xet::format {

/// Reads a shard that arrives in pieces of any size, record group by record group, in memory for the largest
/// group and 32 bytes per file. Takes all forms: what follows the xorb section is ignored.
///
///     ShardStreamParser parser(content_length, on_file, on_xorb);
///     while (...) XET_TRY_STATUS(parser.feed(piece));
///     XET_TRY_STATUS(parser.finish());
///
/// Of files with equal hashes the first is reported. After an error the parser must not be used. Not
/// thread-safe.
class ShardStreamParser {
 public:
  using OnFile = UniqueFunction<Status(FileRecord)>;
  using OnXorb = UniqueFunction<Status(XorbRecord)>;

  /// `budget_bytes` bounds what the records may announce, before anything is allocated for it; the length of
  /// the whole body is a good value. Either callback may be empty; an error from one is passed on by feed().
  ShardStreamParser(uint64_t budget_bytes, OnFile on_file, OnXorb on_xorb);

  /// kCorruption with the offset for anything malformed, for records beyond the budget, and when some files
  /// have verification and some have not.
  Status feed(ByteSpan piece);
  /// kCorruption when the input ended before the xorb section did.
  Status finish();

 private:
  enum class State : uint8_t { kHeader, kFiles, kXorbs, kRest };

  Result<uint64_t> group_size(ByteSpan header) const;
  Status take_group(ByteSpan group);
  Status spend(uint64_t n_bytes);

  uint64_t budget_left_;
  OnFile on_file_;
  OnXorb on_xorb_;
  State state_ = State::kHeader;
  uint64_t offset_ = 0;       // of the group under way, in the shard
  uint64_t group_bytes_ = 0;  // of the group under way; 0 until its header is complete
  ByteVector pending_;        // front part of the group under way
  std::optional<bool> files_have_verification_;
  std::unordered_set<FileHash> seen_;
};

}  // namespace xet::format
