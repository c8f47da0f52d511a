#pragma once

#include <string_view>

#include "server/hub/refusal.h"

namespace xet::hub {

/// A path inside a repository or bucket: UTF-8 of at most 1,024 bytes, its components of at most 255, none of
/// them empty, ".", ".." or ".git"; no control characters and no backslashes, which are separators elsewhere.
Done check_path(std::string_view path);

/// The name of a branch or tag as it may be created: what Git takes, and no commit id.
Done check_ref_name(std::string_view name);

/// A namespace, which is also what users are called: what core::is_name_part() takes, and none of the words
/// that stand in its place in URLs.
Done check_namespace(std::string_view name);

/// The name of a repository or bucket.
Done check_repository_name(std::string_view name);

}  // namespace xet::hub
