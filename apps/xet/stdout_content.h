#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "apps/xet/context.h"

namespace xet::cli {

using ContentSink = std::function<Status(std::span<const std::byte>)>;
/// Delivers content to the sink, in order, and returns how much.
using ContentSource = std::function<Result<uint64_t>(const ContentSink&, const SessionOptions&)>;

/// Writes content to stdout while it comes, with progress and the summary; events have to go to stderr
/// already. Failures, also those of stdout, are reported: nullopt. Else the number of bytes.
std::optional<uint64_t> write_content(Context& context, const ContentSource& deliver);

}  // namespace xet::cli
