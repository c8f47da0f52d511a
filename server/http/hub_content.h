#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "server/http/answer.h"
#include "server/http/byte_ranges.h"
#include "server/http/hub_call.h"

namespace xet::http {

/// A file as it is asked for by path.
struct Content {
  std::string_view name;
  uint64_t size_bytes = 0;
  std::string etag;  ///< without quotes
  std::vector<std::pair<std::string_view, std::string>> headers;
  // Of files in the CAS.
  FileHash xet;
  std::optional<Sha256Digest> sha256;
  std::string token_url;
};

/// Which part of something a request wants.
struct WantedPart {
  enum class Kind : uint8_t { kWhole, kPart, kOutside };
  Kind kind = Kind::kWhole;
  ByteRange range;  ///< of kWhole: all of it
};
/// By Range and If-Range. A Range that cannot be read, or has several parts, is passed over, as HTTP allows.
WantedPart wanted_part(const RequestHead& head, uint64_t size, std::string_view quoted_etag);

/// For kOutside: 416.
Answer range_outside(uint64_t size);

/// HEAD: everything about a file in the CAS, never redirected. GET: to the signed URL that has its bytes.
Answer xet_content(const HubCall& call, const Content& content);
/// A file whose bytes are at hand; for HEAD they are not needed.
Answer content_answer(const HubCall& call, const Content& content, ByteSpan bytes);

}  // namespace xet::http
