#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "xet/client.h"
#include "xet/result.h"

namespace xet::cli {

/// "1.23 GB": powers of 1000, three digits. For people; machines get the plain number.
std::string human_bytes(uint64_t bytes);
/// "0.42 s", "3 min 05 s".
std::string human_seconds(double seconds);
/// "1.23 GB/s"; "-" when no time passed.
std::string human_rate(uint64_t bytes, double seconds);

/// A count of bytes as typed: digits and perhaps a fraction, then nothing, K, M, G or T (powers of 1024),
/// KiB … (the same) or KB … (powers of 1000). Letter case does not matter. kInvalidArgument otherwise.
Result<uint64_t> parse_size(std::string_view text);
/// "A-B", both ends inclusive as in an HTTP Range header, or "A-". kInvalidArgument otherwise.
Result<FileRange> parse_range(std::string_view text);
/// Decimal digits only. kInvalidArgument otherwise, naming `what`.
Result<uint64_t> parse_number(std::string_view text, std::string_view what);
Result<FileHash> parse_file_hash(std::string_view text);

}  // namespace xet::cli
