#include "server/http/multipart.h"

#include <fmt/format.h>

namespace xet::http {

namespace {
// Long enough that no packed chunk holds it by chance; readers go by the lengths in the headers anyway.
#define XET_BOUNDARY "xet-ranges-5b0d4f6e2a9c71d83e64"
}  // namespace

MultipartLayout::MultipartLayout(std::span<const ByteRange> ranges, uint64_t total_bytes) {
  heads_.reserve(ranges.size());
  for (const auto& range : ranges) {
    heads_.push_back(fmt::format("{}--" XET_BOUNDARY
                                 "\r\nContent-Type: application/octet-stream\r\nContent-Range: {}\r\n\r\n",
                                 heads_.empty() ? "" : "\r\n", content_range(range, total_bytes)));
    content_length_ += heads_.back().size() + range.size();
  }
  content_length_ += end().size();
}

std::string_view MultipartLayout::content_type() {
  return "multipart/byteranges; boundary=" XET_BOUNDARY;
}

std::string_view MultipartLayout::end() {
  return "\r\n--" XET_BOUNDARY "--\r\n";
}

std::string content_range(const ByteRange& range, uint64_t total_bytes) {
  return fmt::format("bytes {}-{}/{}", range.begin, range.end - 1, total_bytes);
}

}  // namespace xet::http
