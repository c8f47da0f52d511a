#include "cas/ndjson.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "cas/json_members.h"

namespace xet::cas {

Result<std::optional<ShardOutcome>> ShardFrameParser::push(ByteSpan bytes) {
  auto rest = as_chars(bytes);
  while (!rest.empty() && !outcome_) {
    const size_t end = rest.find('\n');
    const auto piece = rest.substr(0, end);
    if (line_.size() + piece.size() > kMaxLineBytes) {
      return fail(ErrorCode::kCorruption,
                  fmt::format("a frame of the answer is longer than {} bytes", kMaxLineBytes));
    }
    line_ += piece;
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
    const auto line = std::exchange(line_, {});
    XET_TRY(outcome_, take_line(line));
  }
  return outcome_;
}

Result<ShardOutcome> ShardFrameParser::finish() {
  if (!outcome_) {
    const auto line = std::exchange(line_, {});
    XET_TRY(outcome_, take_line(line));
  }
  if (!outcome_) return fail(ErrorCode::kCorruption, "the answer ended without saying how the upload ended");
  return *outcome_;
}

Result<std::optional<ShardOutcome>> ShardFrameParser::take_line(std::string_view line) {
  if (line.find_first_not_of(" \t\r") == std::string_view::npos) return std::optional<ShardOutcome>{};
  XET_TRY(const auto frame, JsonMembers::parse(as_byte_span(line), "a frame of the answer"));
  XET_TRY(const auto type, frame.text("type"));
  ++n_frames_;
  if (type == "validating") {
    XET_TRY([[maybe_unused]] const auto verified, frame.number("verified"));
    XET_TRY([[maybe_unused]] const auto total, frame.number("total"));
  } else if (type == "committing") {
    XET_TRY([[maybe_unused]] const auto stage, frame.text("stage"));
  } else if (type == "result") {
    return std::optional(ShardOutcome{.is_success = true, .is_retryable = false, .message = {}});
  } else if (type == "error") {
    ShardOutcome failure;
    XET_TRY(failure.message, frame.text("message"));
    if (frame.has("retryable")) {
      XET_TRY(failure.is_retryable, frame.flag("retryable"));
    }
    return std::optional(std::move(failure));
  }
  return std::optional<ShardOutcome>{};
}

}  // namespace xet::cas
