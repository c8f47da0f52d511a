#pragma once

#include <memory>

#include "server/store/meta_store.h"
#include "server/store/object_store.h"
#include "xet/result.h"

namespace xet::core {

/// The object of a usable generation. A row without its object, or with one of another length, is
/// kCorruption: rows are written after their objects.
Result<std::unique_ptr<store::ObjectReader>> open_xorb(store::ObjectStore& objects,
                                                       const store::XorbRow& xorb);

}  // namespace xet::core
