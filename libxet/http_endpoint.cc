#include "libxet/http_endpoint.h"

#include <fmt/format.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "cas/http_cas.h"
#include "config/settings.h"
#include "net/curl_transport.h"
#include "xet/version.h"

namespace xet {

namespace {

config::Environment process_environment() {
  config::Environment out;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (const size_t equals = text.find('='); equals != std::string_view::npos)
      out.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return out;
}

net::Headers headers_of(const std::vector<std::pair<std::string, std::string>>& pairs) {
  net::Headers out;
  out.reserve(pairs.size());
  for (const auto& [name, value] : pairs) out.push_back({name, value});
  return out;
}

cas::AccessToken token_of(AccessToken token) {
  return {.text = std::move(token.text), .expires_at_s = token.expires_at_s};
}

cas::Credentials credentials_of(const HttpOptions& options) {
  cas::Credentials out;
  if (options.token) out.token = token_of(*options.token);
  if (options.refresh) {
    out.refresh = [refresh = options.refresh]() -> Result<cas::AccessToken> {
      XET_TRY(auto token, refresh());
      return token_of(std::move(token));
    };
  }
  out.refresh_url = options.refresh_url;
  out.refresh_headers = headers_of(options.refresh_headers);
  return out;
}

cas::HttpCasOptions options_of(std::string_view url, const HttpOptions& http,
                               const config::Settings& settings) {
  const auto& client = settings.client;
  return {
      .endpoint = std::string(url),
      .name = std::string(url),
      .credentials = credentials_of(http),
      .headers = headers_of(http.headers),
      .user_agent = http.user_agent.empty() ? fmt::format("libxet/{}", kVersion) : http.user_agent,
      .session_id = http.session_id,
      .prefix = settings.default_prefix,
      .cache_root = settings.cache_root,
      .retry = {.max_retries = client.retry_max_attempts,
                .base = client.retry_base_delay,
                .cap = client.retry_max_duration},
      .patience = {.connect = client.connect_timeout, .slow_answer = client.read_timeout},
      .uploads = {.initial = client.ac_initial_upload_concurrency,
                  .min = client.ac_min_upload_concurrency,
                  .max = client.ac_max_upload_concurrency},
      .downloads = {.initial = client.ac_initial_download_concurrency,
                    .min = client.ac_min_download_concurrency,
                    .max = client.ac_max_download_concurrency},
      .reconstruction_api_version = client.reconstruction_api_version,
      .shard_api_version = client.shard_api_version,
      .legacy_direct_xorb_upload = client.legacy_direct_xorb_upload,
      .max_xorb_grant_attempts = client.max_xorb_grant_attempts,
      .ask_for_dedup = settings.global_dedup_query_enabled,
      .enable_multirange_fetching = client.enable_multirange_fetching,
      .on_trouble = http.on_notice,
  };
}

}  // namespace

Result<std::unique_ptr<cas::Cas>> open_http_endpoint(std::string_view url, const ClientOptions& options) {
  const auto environment = process_environment();
  const auto settings = config::read_settings(environment);
  if (options.http.on_notice) {
    for (const auto& warning : settings.warnings) options.http.on_notice(warning);
  }
  auto http = options_of(url, options.http, settings);
  http.transport = net::CurlTransport::make(
      {.environment = [&](std::string_view name) -> std::optional<std::string> {
         const auto found = environment.find(std::string(name));
         return found == environment.end() ? std::nullopt : std::optional(found->second);
       },
       .unix_socket_path = settings.client.unix_socket_path,
       .max_idle_connections = settings.client.max_idle_connections,
       .idle_connection_timeout = settings.client.idle_connection_timeout});
  return cas::open_http_cas(std::move(http));
}

}  // namespace xet
