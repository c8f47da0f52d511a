#pragma once

#include "format/xorb_footer.h"

namespace xet::format {

/// The footer of a body without one, from decoding and hashing every chunk. A footer behind the body is
/// accepted when it agrees. kCorruption with chunk number and offset.
Result<XorbFooter> rebuild_footer(ByteSpan body, codec::Codec& codec);

/// Checks a stored xorb (body, footer, length field) completely against its name: every chunk decodes, hashes
/// and ends as the footer says, the footer follows at once, nothing follows it, and the hashes of the chunks
/// make the name. kCorruption names the first thing that is wrong, with its offset. Gives the footer.
Result<XorbFooter> check_xorb(ByteSpan object, const XorbHash& name, codec::Codec& codec);

}  // namespace xet::format
