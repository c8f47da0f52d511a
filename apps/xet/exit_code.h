#pragma once

#include "xet/result.h"

namespace xet::cli {

/// How the program ends. Documented in docs/cli.md and stable: scripts branch on these.
namespace exit_code {
inline constexpr int kDone = 0;
inline constexpr int kOther = 1;
inline constexpr int kUsage = 2;
inline constexpr int kNotFound = 3;
inline constexpr int kNotAllowed = 4;
inline constexpr int kUnavailable = 5;
inline constexpr int kContent = 6;
inline constexpr int kLocalIo = 7;
inline constexpr int kInterrupted = 130;
inline constexpr int kBrokenPipe =
    141;  ///< whoever reads our stdout went away; what a shell says for SIGPIPE
}  // namespace exit_code

constexpr int exit_code_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return exit_code::kUsage;
    case ErrorCode::kNotFound:
      return exit_code::kNotFound;
    case ErrorCode::kCorruption:
      return exit_code::kContent;
    case ErrorCode::kUnauthorized:
      return exit_code::kNotAllowed;
    case ErrorCode::kUnavailable:
    case ErrorCode::kDeadline:
      return exit_code::kUnavailable;
    case ErrorCode::kCancelled:
      return exit_code::kInterrupted;
    case ErrorCode::kIo:
    case ErrorCode::kNoSpace:
      return exit_code::kLocalIo;
    case ErrorCode::kRefused:
    case ErrorCode::kAlreadyDone:
    case ErrorCode::kInternal:
      return exit_code::kOther;
  }
  return exit_code::kOther;
}

/// The code that tells of both of two outcomes the one that a script must not miss: interrupted, then wrong
/// content, local I/O, not allowed, not found, wrong usage, other. "Unavailable" comes last: whoever sees it
/// may try again and expect that to help with every failure of the run.
constexpr int worse_exit_code(int a, int b) {
  constexpr int kOrder[] = {exit_code::kBrokenPipe, exit_code::kInterrupted, exit_code::kContent,
                            exit_code::kLocalIo,    exit_code::kNotAllowed,  exit_code::kNotFound,
                            exit_code::kUsage,      exit_code::kOther,       exit_code::kUnavailable};
  for (const int code : kOrder) {
    if (a == code || b == code) return code;
  }
  return exit_code::kDone;
}

}  // namespace xet::cli
