#include "server/core/open_xorb.h"

#include <fmt/format.h>

namespace xet::core {

Result<std::unique_ptr<store::ObjectReader>> open_xorb(store::ObjectStore& objects,
                                                       const store::XorbRow& xorb) {
  auto object = objects.open(store::xorb_key(xorb.hash, xorb.generation));
  if (!object && object.error().code == ErrorCode::kNotFound) {
    return fail(ErrorCode::kCorruption, fmt::format("xorb {} is registered, but its object is missing ({})",
                                                    xorb.hash.hex(), object.error().message));
  }
  if (object && (*object)->size_bytes() != xorb.object_bytes) {
    return fail(ErrorCode::kCorruption,
                fmt::format("the object of xorb {} has {} bytes, {} were stored", xorb.hash.hex(),
                            (*object)->size_bytes(), xorb.object_bytes));
  }
  return object;
}

}  // namespace xet::core
