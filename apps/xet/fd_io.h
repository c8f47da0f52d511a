#pragma once

#include <cstddef>

#include "base/bytes.h"
#include "xet/result.h"

namespace xet::cli {

/// Writes everything to a descriptor, whether it blocks or not. Returns 0 or the errno of the failure.
int write_fully(int fd, ByteSpan bytes);

/// The same, but gives up with ECANCELED once `wake_fd` is readable.
int write_fully_or_stop(int fd, ByteSpan bytes, int wake_fd);

/// Reads what is there, at least one byte, at most `into.size()`; 0 at the end of the input. Waits for input
/// only as long as `wake_fd` is not readable: then kCancelled. Other failures are kIo and name `name`.
Result<size_t> read_or_stop(int fd, MutableByteSpan into, int wake_fd, std::string_view name);

}  // namespace xet::cli
