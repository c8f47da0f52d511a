#pragma once

#include "bindings/python/held.h"
#include "xet/session.h"

namespace xet::python {

using StreamGroupObject = Held<DownloadStreamGroup>;

}  // namespace xet::python
