#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "xet/result.h"

namespace xet::http {

/// Half-open range of bytes of whatever a request asks for.
struct ByteRange {
  uint64_t begin = 0;
  uint64_t end = 0;
  uint64_t size() const { return end - begin; }
  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

/// One element of a Range header, before the size is known.
struct RangeSpec {
  std::optional<uint64_t> first;
  std::optional<uint64_t> last;  ///< inclusive; without `first`: how many bytes from the end

  /// nullopt when it begins at or behind the end. Cut at the end otherwise.
  std::optional<ByteRange> resolve(uint64_t size) const;
  friend bool operator==(const RangeSpec&, const RangeSpec&) = default;
};

/// "bytes=0-9,20-,-5". kInvalidArgument for anything malformed, for more than `max_ranges`, for first > last
/// and for "-0": whoever asks is told so by a 416 instead of getting everything.
Result<std::vector<RangeSpec>> parse_range_header(std::string_view header, size_t max_ranges);

}  // namespace xet::http
