#pragma once

#include <cstddef>
#include <memory>

#include "base/bytes.h"
#include "server/http/request.h"
#include "xet/result.h"

namespace xet::http {

/// Reads the header of one request, and its body when that is chunked. Everything Boost.Beast is behind this
/// header. Not thread-safe.
class RequestParser {
 public:
  explicit RequestParser(size_t max_header_bytes);
  ~RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  struct Progress {
    size_t consumed = 0;  ///< bytes to be left out of the next call; the others have to come again
    size_t produced = 0;  ///< bytes of the body
    bool complete = false;
  };
  /// kInvalidArgument for what is no HTTP/1.0 or 1.1 request, kRefused for a header that is too large.
  Result<Progress> parse_head(ByteSpan in);
  /// What is said in the complete header. kInvalidArgument for lengths, encodings and repetitions of fields
  /// that would make two readers see two different requests.
  Result<RequestHead> head() const;

  /// Decodes a chunked body. kInvalidArgument when it is malformed.
  Result<Progress> decode_chunked(ByteSpan in, MutableByteSpan out);

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

}  // namespace xet::http
