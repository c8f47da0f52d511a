#pragma once

#include <memory>
#include <stop_token>
#include <string_view>

#include "net/transport.h"
#include "session/engine.h"
#include "xet/endpoint.h"

namespace xet {

/// What several clients may share.
struct Connections {
  std::shared_ptr<session::Engine> engine;
  std::shared_ptr<net::Transport> transport;  ///< only http(s) endpoints need one
};

/// Whether the endpoint, or the lack of one beside a refresh URL, means HTTP.
bool is_http_endpoint(std::string_view endpoint, const ClientOptions& options);

/// open_endpoint() on what others use too; also knows `memory://`, and an empty endpoint beside a refresh
/// URL.
Result<std::shared_ptr<Client>> open_endpoint_on(std::string_view endpoint, const ClientOptions& options,
                                                 Connections connections, std::stop_token stop);

}  // namespace xet
