#pragma once

#include "xet/config.h"

namespace xet {

/// The environment variables of this process, as they are now. Not while another thread calls setenv().
Config::Environment process_environment();

}  // namespace xet
