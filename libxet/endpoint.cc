#include "xet/endpoint.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "libxet/endpoint.h"
#include "libxet/http_endpoint.h"
#include "libxet/memory_store.h"
#include "server/local/local_cas.h"
#include "session/client_impl.h"

namespace xet {

namespace {

constexpr std::string_view kLocal = "local:";
constexpr std::string_view kMemory = "memory://";

std::shared_ptr<Client> make_client(std::shared_ptr<cas::Cas> cas, const ClientOptions& options) {
  return std::make_shared<Client>(std::make_shared<Client::Impl>(std::move(cas), options));
}

Result<std::unique_ptr<cas::Cas>> open_cas(std::string_view endpoint, const ClientOptions& options,
                                           std::shared_ptr<net::Transport> transport, std::stop_token stop) {
  if (is_http_endpoint(endpoint, options))
    return open_http_endpoint(endpoint, options, std::move(transport), std::move(stop));
  if (endpoint == kMemory) {
    XET_TRY(const auto directory, memory_store());
    return server::open_local_cas(directory);
  }
  if (!endpoint.starts_with(kLocal)) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("endpoint '{}' is not one that this version can open; it opens local:DIR, "
                            "memory://, http://HOST and https://HOST",
                            endpoint));
  }
  std::string_view directory = endpoint.substr(kLocal.size());
  if (directory.starts_with("//")) directory.remove_prefix(2);
  if (directory.empty())
    return fail(ErrorCode::kInvalidArgument, "the endpoint names no directory; write local:DIR");
  return server::open_local_cas(std::string(directory));
}

}  // namespace

Result<std::shared_ptr<Client>> open_endpoint(std::string_view endpoint, const ClientOptions& options) {
  return open_endpoint_on(endpoint, options, {}, {});
}

bool is_http_endpoint(std::string_view endpoint, const ClientOptions& options) {
  if (endpoint.empty()) return !options.http.refresh_url.empty();
  return endpoint.starts_with("http://") || endpoint.starts_with("https://");
}

Result<std::shared_ptr<Client>> open_endpoint_on(std::string_view endpoint, const ClientOptions& options,
                                                 Connections connections, std::stop_token stop) {
  XET_TRY(auto cas, open_cas(endpoint, options, std::move(connections.transport), std::move(stop)));
  if (connections.engine == nullptr) return make_client(std::move(cas), options);
  return std::make_shared<Client>(
      std::make_shared<Client::Impl>(std::move(cas), std::move(connections.engine)));
}

Result<std::shared_ptr<Client>> open_offline(const ClientOptions& options) {
  return make_client(nullptr, options);
}

}  // namespace xet
