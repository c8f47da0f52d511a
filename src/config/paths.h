#pragma once

#include <filesystem>
#include <string_view>

#include "xet/config.h"

namespace xet::config {

/// A path as people write it in a setting: `{PID}` and `{TIMESTAMP}` (now, in local time,
/// 2026-08-19T17-05-09+0200) in any case are replaced, then a leading `~`; absolute. Other words in braces
/// stay.
std::filesystem::path expand_path(std::string_view text, const Config::Environment& environment);

/// What huggingface_hub keeps its things in: HF_HOME, XDG_CACHE_HOME/huggingface or ~/.cache/huggingface.
/// Expanded.
std::filesystem::path hub_home_of(const Config::Environment& environment);

/// Where caches lie: HF_XET_CACHE, else "xet" in hub_home_of(), as for the genuine client, so that both share
/// caches. Expanded.
std::filesystem::path cache_root_of(const Config::Environment& environment);

}  // namespace xet::config
