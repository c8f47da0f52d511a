#pragma once

#include "server/http/task.h"

namespace xet::http {

class Exchange;

// Requests whose body or answer is worked on while it moves.

/// POST of a xorb.
Task<> take_xorb(Exchange& exchange);
/// PUT of a xorb to the URL of a grant.
Task<> take_granted_xorb(Exchange& exchange);
/// POST of a shard that is answered while it is being checked.
Task<> take_shard_with_progress(Exchange& exchange);
/// GET of ranges of a xorb by signed URL.
Task<> send_data(Exchange& exchange);

/// GET of a file by signed URL, rebuilt on the way.
Task<> send_bridged(Exchange& exchange);
/// PUT of a file to the URL of a Git LFS action.
Task<> take_lfs(Exchange& exchange);

/// The body, whole, for routes that want it so. False: it was answered already why not.
Task<bool> read_whole_body(Exchange& exchange);

}  // namespace xet::http
