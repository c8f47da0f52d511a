#include "base/bytes.h"

#include <fmt/format.h>

namespace xet {

tl::unexpected<Error> ByteReader::truncated(size_t wanted) const {
  return fail(ErrorCode::kCorruption,
              fmt::format("truncated at offset {}: {} bytes wanted, {} left", offset(), wanted, remaining()));
}

}  // namespace xet
