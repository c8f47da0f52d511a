#pragma once

#include <memory>
#include <string_view>

#include "cas/cas.h"
#include "xet/client.h"
#include "xet/result.h"

namespace xet {

/// A CAS at an http(s) URL, set up by the options and by the environment of this process (docs/settings.md).
/// kInvalidArgument for something that is no such URL. Sends nothing yet.
Result<std::unique_ptr<cas::Cas>> open_http_endpoint(std::string_view url, const ClientOptions& options);

}  // namespace xet
