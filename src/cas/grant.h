#pragma once

#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "net/transport.h"

namespace xet::cas {

/// Leave to put a xorb somewhere. URL and headers are secret.
struct UploadGrant {
  std::string id;  ///< one path segment, not yet encoded
  std::string method;
  std::string url;
  net::Headers headers;
};

constexpr size_t kMaxGrantBytes = size_t{256} << 10;

/// What is sent to ask for one. The checksum goes as a string because it may exceed what other languages can
/// read as a number.
std::string grant_request(uint64_t length_bytes, uint64_t crc64);

/// kCorruption when a member is missing or of the wrong type.
Result<UploadGrant> parse_grant(ByteSpan json);

/// Whether a request can be made of it for a body of that length: absolute http(s) URL, a method, headers
/// that are headers.
bool is_usable(const UploadGrant& grant, uint64_t length_bytes);

}  // namespace xet::cas
