#include "xet/endpoint.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "libxet/http_endpoint.h"
#include "server/local/local_cas.h"
#include "session/client_impl.h"

namespace xet {

namespace {

constexpr std::string_view kLocal = "local:";

std::shared_ptr<Client> make_client(std::shared_ptr<cas::Cas> cas, const ClientOptions& options) {
  return std::make_shared<Client>(std::make_shared<Client::Impl>(std::move(cas), options));
}

}  // namespace

Result<std::shared_ptr<Client>> open_endpoint(std::string_view endpoint, const ClientOptions& options) {
  if (endpoint.starts_with("http://") || endpoint.starts_with("https://")) {
    auto cas = open_http_endpoint(endpoint, options);
    if (!cas) return tl::unexpected(std::move(cas).error());
    return make_client(std::move(*cas), options);
  }
  if (!endpoint.starts_with(kLocal)) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("endpoint '{}' is not one that this version can open; it opens local:DIR, "
                            "http://HOST and https://HOST",
                            endpoint));
  }
  std::string_view directory = endpoint.substr(kLocal.size());
  if (directory.starts_with("//")) directory.remove_prefix(2);
  if (directory.empty())
    return fail(ErrorCode::kInvalidArgument, "the endpoint names no directory; write local:DIR");
  auto cas = server::open_local_cas(std::string(directory));
  if (!cas) return tl::unexpected(std::move(cas).error());
  return make_client(std::move(*cas), options);
}

Result<std::shared_ptr<Client>> open_offline(const ClientOptions& options) {
  return make_client(nullptr, options);
}

}  // namespace xet
