#pragma once

#include <memory>
#include <stop_token>
#include <string_view>

#include "cas/cas.h"
#include "net/retry.h"
#include "net/transport.h"
#include "xet/client.h"
#include "xet/result.h"

namespace xet {

/// A CAS at an http(s) URL, set up by the options and, where they hold no Config, by the environment of this
/// process (docs/settings.md). kInvalidArgument for something that is no such URL. Sends nothing yet.
/// `url` may be empty when options.http has a refresh URL: that is asked for it, which blocks; `stop` ends
/// that. A transport may serve any number of endpoints; without one it has its own.
Result<std::unique_ptr<cas::Cas>> open_http_endpoint(std::string_view url, const ClientOptions& options,
                                                     std::shared_ptr<net::Transport> transport = nullptr,
                                                     std::stop_token stop = {});

/// How often, and after what pauses, failed requests are sent again.
net::RetryLadder retry_ladder_of(const Config& config);

/// Connections as a configuration, and for proxies and trust the environment, say.
std::shared_ptr<net::Transport> make_transport(const Config& config);

}  // namespace xet
