#pragma once

#include <cstddef>
#include <string>

namespace xet {

// From the system's random numbers. Thread-safe. Not for keys.

/// Uniform in [0, 1).
double random_fraction();

/// `n_bytes` random bytes as hex digits: a name that no other has.
std::string random_hex(size_t n_bytes);

}  // namespace xet
