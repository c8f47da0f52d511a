#pragma once

#include <string>

#include "xet/result.h"

namespace xet {

/// Directory of the store that `memory://` means: one for the process, among the temporary files, made when
/// it is first wanted and removed when the process ends in an orderly way. A forked child gets one of its
/// own.
Result<std::string> memory_store();

}  // namespace xet
