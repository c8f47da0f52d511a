#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace xet {

/// What kind of failure an Error is. Callers branch on this, never on the message.
/// The numbers are not stable; the names printed by `to_string` are.
enum class ErrorCode : uint8_t {
  kInvalidArgument,  ///< the caller asked for something impossible
  kNotFound,         ///< the file, chunk or xorb is not in the store
  kCorruption,       ///< bytes do not match their hash or their format
  kUnauthorized,     ///< credentials are missing, expired or not sufficient
  kUnavailable,      ///< the store cannot be reached or is overloaded; trying again may help
  kCancelled,        ///< the caller's stop token fired
  kDeadline,         ///< the caller's deadline passed
  kIo,               ///< a local file operation failed (permissions, a file changed while read)
  kNoSpace,          ///< a disk is full or a quota used up
  kRefused,          ///< the store understood and will not do it (too large, over quota); do not retry
  kAlreadyDone,      ///< finished or closed before; nothing was done
  kInternal,         ///< a defect of ours, noticed
};

/// The stable name of a code, as it appears in `xet --json` output: "not_found", "corruption", …
constexpr std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return "invalid_argument";
    case ErrorCode::kNotFound:
      return "not_found";
    case ErrorCode::kCorruption:
      return "corruption";
    case ErrorCode::kUnauthorized:
      return "unauthorized";
    case ErrorCode::kUnavailable:
      return "unavailable";
    case ErrorCode::kCancelled:
      return "cancelled";
    case ErrorCode::kDeadline:
      return "deadline";
    case ErrorCode::kIo:
      return "io";
    case ErrorCode::kNoSpace:
      return "no_space";
    case ErrorCode::kRefused:
      return "refused";
    case ErrorCode::kAlreadyDone:
      return "already_done";
    case ErrorCode::kInternal:
      return "internal";
  }
  return "unknown";
}

/// An expected failure. `message` is one line: what failed, on which object, why, and what to do about it.
/// It never holds a token or a signed URL.
struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
  int http_status = 0;     ///< of the answer that said so; 0 when it was none
  bool timed_out = false;  ///< of kUnavailable: the other side was silent for too long
};

/// A value or an Error. A thin type over tl::expected, because Debian 12's g++ has no std::expected in C++20.
template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
};

/// Success or an Error.
using Status = Result<void>;

/// Makes the failing side of any Result: `return fail(ErrorCode::kIo, "…");`
inline tl::unexpected<Error> fail(ErrorCode code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}

/// Passes an Error on, with `context` put in front of its message.
inline tl::unexpected<Error> fail(const Error& error, std::string_view context) {
  std::string message(context);
  message += ": ";
  message += error.message;
  return tl::unexpected<Error>(Error{error.code, std::move(message), error.http_status, error.timed_out});
}

}  // namespace xet
