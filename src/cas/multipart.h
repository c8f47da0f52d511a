#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "cas/http_range.h"

namespace xet::cas {

/// The boundary of a `multipart/byteranges` media type; nullopt when it is another type or has none that the
/// RFC allows (1 to 70 characters).
std::optional<std::string> multipart_boundary(std::string_view content_type);

/// Reads a `multipart/byteranges` body piece by piece. A part is as long as its Content-Range says, so its
/// bytes are never searched for boundaries and never copied. Stricter than MIME: no preamble but an empty
/// line, every part has exactly one Content-Range, what follows the closing delimiter is dropped. Plain
/// value.
///
///     for (ByteSpan in = piece; !in.empty();) { XET_TRY(const auto event, parser.next(in)); … }
class MultipartParser {
 public:
  static constexpr size_t kMaxPartHead = 8 << 10;  ///< delimiter and header lines of one part

  enum class Kind : uint8_t { kNeedsMore, kPart, kData, kEnd };
  struct Event {
    Kind kind = Kind::kNeedsMore;
    ContentRange part;  ///< of kPart, which comes before the part's data
    ByteSpan data;      ///< of kData: never empty, points into the input
  };

  explicit MultipartParser(std::string_view boundary) : delimiter_("--" + std::string(boundary)) {}

  /// Takes from the front of `in` what the next event needs. kNeedsMore: all of it was taken. kCorruption for
  /// anything that is not such a body.
  Result<Event> next(ByteSpan& in);
  /// Bytes of the part's data still to come.
  uint64_t body_left() const { return state_ == State::kBody ? body_left_ : 0; }
  /// Whether the closing delimiter has come.
  bool at_end() const { return state_ == State::kAfter; }

 private:
  enum class State : uint8_t { kHead, kBody, kAfter };
  Result<std::optional<Event>> parse_head();

  const std::string delimiter_;
  State state_ = State::kHead;
  bool is_first_ = true;
  std::string head_;        // delimiter and header lines so far
  uint64_t body_left_ = 0;  // bytes of the part
};

}  // namespace xet::cas
