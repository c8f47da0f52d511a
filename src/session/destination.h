#pragma once

#include <filesystem>

#include "io/file.h"
#include "xet/result.h"

namespace xet::session {

/// Opens the temporary file that will become `destination`: makes missing directories, follows a symbolic
/// link so that its target is replaced and not the link, and refuses what cannot be replaced by rename
/// (directories: kIo; devices and pipes: kInvalidArgument, with what to use instead). Blocks for the disk.
Result<io::AtomicFile> open_destination(const std::filesystem::path& destination);

}  // namespace xet::session
