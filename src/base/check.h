#pragma once

namespace xet {
/// Prints the broken invariant with its place and aborts.
[[noreturn]] void check_failed(const char* condition, const char* file, int line);
}  // namespace xet

/// For our own invariants, in every build. Never for input: input gets an Error.
#define XET_CHECK(condition)                               \
  do {                                                     \
    if (!(condition)) [[unlikely]]                         \
      ::xet::check_failed(#condition, __FILE__, __LINE__); \
  } while (false)
