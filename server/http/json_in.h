#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "xet/hash.h"
#include "xet/result.h"

namespace xet::http {

/// What a client says about a xorb that it wants to upload by a grant.
struct GrantRequest {
  uint64_t length = 0;
  uint64_t crc64 = 0;  ///< CRC-64/NVME

  /// `{"length":20,"checksum":{"algo":"crc64nvme","value":"3879687725877942381"}}`; other members are passed
  /// over. kInvalidArgument for a value that is a number, another algorithm, no JSON.
  static Result<GrantRequest> parse(ByteSpan json);
};

/// The files of a batch in a body: `[{"prefix":"default","hash":"<hex>"}, …]`. Hashes that are none are left
/// out; kInvalidArgument when all are, when the body is something else, and kRefused for more than `max`.
Result<std::vector<FileHash>> parse_batch_body(ByteSpan json, size_t max);
/// The same for `?file_id=<hex>&file_id=…`.
Result<std::vector<FileHash>> parse_batch_query(std::string_view query, size_t max);

}  // namespace xet::http
