#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.h"

namespace xet::cas {

/// How a `/v2/shards` answer ends.
struct ShardOutcome {
  bool is_success = false;
  bool is_retryable = false;  ///< of a failure: the server says that the same upload may succeed later
  std::string message;        ///< of a failure, as the server wrote it
};

/// Reads the answer to a shard upload: JSON objects, one a line, each with a `type`. `validating` and
/// `committing` only show that the server is at work, `result` and `error` end it, other types are passed
/// over. Plain value.
class ShardFrameParser {
 public:
  static constexpr size_t kMaxLineBytes = size_t{1} << 20;

  /// The next bytes; they may end anywhere in a line. An outcome as soon as there is one: what follows it is
  /// not looked at. kCorruption for a line that is no such frame or is too long.
  Result<std::optional<ShardOutcome>> push(ByteSpan bytes);
  /// The body is over: a last line may lack its line break. kCorruption when no outcome has come.
  Result<ShardOutcome> finish();

  size_t n_frames() const { return n_frames_; }

 private:
  Result<std::optional<ShardOutcome>> take_line(std::string_view line);

  std::string line_;
  size_t n_frames_ = 0;
  std::optional<ShardOutcome> outcome_;
};

}  // namespace xet::cas
