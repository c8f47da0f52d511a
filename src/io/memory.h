#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace xet::io {

/// How much memory this process may use: that of the machine, or less where a control group (version 1 or 2)
/// that it is in, or one above, has a limit. Nothing when the system does not say. `root` is for tests: where
/// /proc and the mounts of control groups are looked for.
std::optional<uint64_t> usable_memory_bytes(const std::filesystem::path& root = "/");

}  // namespace xet::io
