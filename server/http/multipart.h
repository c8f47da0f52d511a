#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/http/byte_ranges.h"

namespace xet::http {

/// The text between the parts of a multipart/byteranges body. What is inside the parts comes from elsewhere.
class MultipartLayout {
 public:
  /// `total_bytes` is of the thing that the ranges are of.
  MultipartLayout(std::span<const ByteRange> ranges, uint64_t total_bytes);

  static std::string_view content_type();
  /// Delimiter and header of part i, to be sent before its bytes.
  const std::string& before(size_t i) const { return heads_[i]; }
  /// To be sent after the last part.
  static std::string_view end();
  /// Of the whole body, the parts' bytes included.
  uint64_t content_length() const { return content_length_; }

 private:
  std::vector<std::string> heads_;
  uint64_t content_length_ = 0;
};

/// The value of a Content-Range header.
std::string content_range(const ByteRange& range, uint64_t total_bytes);

}  // namespace xet::http
