#pragma once

#include <gmock/gmock.h>

#include "xet/result.h"

namespace xet {
/// So that gtest prints an Error instead of its bytes.
inline void PrintTo(const Error& error, std::ostream* out) {
  *out << to_string(error.code) << ": " << error.message;
}
}  // namespace xet

namespace xet::testing {

/// EXPECT_THAT(status, IsOk());
MATCHER(IsOk, "is ok") {
  if (arg.has_value()) return true;
  *result_listener << "error " << to_string(arg.error().code) << ": " << arg.error().message;
  return false;
}

/// EXPECT_THAT(result, FailsWith(ErrorCode::kCorruption));
MATCHER_P(FailsWith, code, std::string("fails with ") + std::string(to_string(code))) {
  if (arg.has_value()) {
    *result_listener << "it succeeded";
    return false;
  }
  *result_listener << "error " << to_string(arg.error().code) << ": " << arg.error().message;
  return arg.error().code == code;
}

/// The same, and the message holds `text`.
MATCHER_P2(FailsWith, code, text,
           std::string("fails with ") + std::string(to_string(code)) + " saying " + text) {
  if (arg.has_value()) {
    *result_listener << "it succeeded";
    return false;
  }
  *result_listener << "error " << to_string(arg.error().code) << ": " << arg.error().message;
  return arg.error().code == code && arg.error().message.find(text) != std::string::npos;
}

}  // namespace xet::testing
