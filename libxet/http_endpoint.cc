#include "libxet/http_endpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "cas/http_cas.h"
#include "config/concurrency.h"
#include "config/paths.h"
#include "libxet/environment.h"
#include "net/curl_transport.h"
#include "xet/version.h"

namespace xet {

namespace {

/// As transports take it. Longer than anybody waits is cut, so that it can be added to any time.
std::chrono::milliseconds in_milliseconds(std::chrono::nanoseconds duration) {
  constexpr std::chrono::hours kMost{24 * 365 * 10};
  // Finer than a millisecond is rounded up, so that no wait becomes none.
  return std::chrono::ceil<std::chrono::milliseconds>(std::min<std::chrono::nanoseconds>(duration, kMost));
}

net::ConcurrencyBounds bounds_of(const config::Concurrency& concurrency) {
  return {.initial = concurrency.initial, .min = concurrency.least, .max = concurrency.most};
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

cas::HttpCasOptions options_of(std::string_view url, const HttpOptions& http, const Config& config) {
  return {
      .endpoint = std::string(url),
      .name = std::string(url),
      .credentials = credentials_of(http),
      .headers = headers_of(http.headers),
      .user_agent = http.user_agent.empty() ? fmt::format("libxet/{}", kVersion) : http.user_agent,
      .session_id = http.session_id,
      .prefix = config.text("data.default_prefix"),
      .retry = retry_ladder_of(config),
      .patience = {.connect = in_milliseconds(config.duration("client.connect_timeout")),
                   .slow_answer = in_milliseconds(config.duration("client.read_timeout"))},
      .uploads = bounds_of(config::upload_concurrency(config)),
      .downloads = bounds_of(config::download_concurrency(config)),
      .reconstruction_api_version = config.optional_count("client.reconstruction_api_version"),
      .shard_api_version = config.optional_count("client.shard_api_version"),
      .legacy_direct_xorb_upload = config.flag("client.legacy_direct_xorb_upload"),
      .max_xorb_grant_attempts = config.count("client.max_xorb_grant_attempts"),
      .ask_for_dedup = config.flag("deduplication.global_dedup_query_enabled"),
      .enable_multirange_fetching = config.flag("client.enable_multirange_fetching"),
      .on_trouble = http.on_notice,
  };
}

}  // namespace

net::RetryLadder retry_ladder_of(const Config& config) {
  return {.max_retries = config.count("client.retry_max_attempts"),
          .base = in_milliseconds(config.duration("client.retry_base_delay")),
          .cap = in_milliseconds(config.duration("client.retry_max_duration"))};
}

std::shared_ptr<net::Transport> make_transport(const Config& config) {
  const auto environment = process_environment();
  return net::CurlTransport::make(
      {.environment = [&](std::string_view name) -> std::optional<std::string> {
         const auto found = environment.find(std::string(name));
         return found == environment.end() ? std::nullopt : std::optional(found->second);
       },
       .unix_socket_path = config.optional_text("client.unix_socket_path").value_or(""),
       .max_idle_connections = config.count("client.max_idle_connections"),
       .idle_connection_timeout = in_milliseconds(config.duration("client.idle_connection_timeout"))});
}

Result<std::unique_ptr<cas::Cas>> open_http_endpoint(std::string_view url, const ClientOptions& options,
                                                     std::shared_ptr<net::Transport> transport,
                                                     std::stop_token stop) {
  const Config config = options.config ? *options.config : Config::from_environment();
  if (options.http.on_notice) {
    for (const auto& warning : config.warnings()) options.http.on_notice(warning);
  }
  auto http = options_of(url, options.http, config);
  http.cache_root = config::cache_root_of(process_environment());
  http.transport = transport != nullptr ? std::move(transport) : make_transport(config);
  return cas::open_http_cas(std::move(http), std::move(stop));
}

}  // namespace xet
