#pragma once

#include "bindings/python/held.h"
#include "bindings/python/progress.h"
#include "xet/session.h"

namespace xet::python {

struct DownloadGroupObject {
  Held<FileDownloadGroup> group;
  ProgressCallback callback;
};

/// Any XetFileInfo, as the library takes it.
const FileInfo& to_file_info(nb::handle value);

}  // namespace xet::python
