#pragma once

#include <cstddef>

namespace xet::testing {

/// Counts what `new` holds in a program that links xet_test_counted_new, in bytes as the allocator rounds
/// them. Memory that is not C++'s (malloc of libraries, mmap) is not counted. Thread-safe.
size_t bytes_held();
/// The most that was held at once since the last restart_most_held().
size_t most_bytes_held();
void restart_most_held();

}  // namespace xet::testing
