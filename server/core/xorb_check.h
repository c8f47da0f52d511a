#pragma once

#include <cstdint>
#include <stop_token>

#include "format/xorb_footer.h"
#include "server/store/meta_store.h"
#include "server/store/object_store.h"
#include "xet/hash.h"
#include "xet/result.h"

namespace xet::core {

/// Passes the footer on when it is one of a xorb of this name with at least one chunk; otherwise kCorruption
/// that names the xorb.
Result<format::XorbFooter> check_name(Result<format::XorbFooter> footer, const XorbHash& name);

/// The row that belongs to an object with this footer.
store::XorbRow xorb_row(const format::XorbFooter& footer, uint32_t generation);

/// Reads a stored object completely: decodes and hashes every chunk, and compares the footer. kCorruption
/// when it is not exactly that xorb with a footer of ours. Gives the footer.
Result<format::XorbFooter> verify_xorb_object(const store::ObjectReader& object, const XorbHash& name,
                                              const std::stop_token& stop);

}  // namespace xet::core
