#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "cas/cas.h"
#include "net/concurrency.h"
#include "net/retry.h"
#include "net/transport.h"
#include "xet/result.h"

namespace xet::cas {

/// What a CAS asks for with every call. The text is a secret: it is in no message.
struct AccessToken {
  std::string text;
  uint64_t expires_at_s = UINT64_MAX;  ///< Unix seconds
};

/// Where tokens come from. Without a token and without a way to get one, no `Authorization` is sent.
struct Credentials {
  /// The first token; with a source below, another one is asked for 30 s before it ends.
  std::optional<AccessToken> token;
  /// Gives a new token. Called on a thread of the HttpCas, one call at a time, and may block. Goes before
  /// `refresh_url`.
  std::function<Result<AccessToken>()> refresh;
  /// A GET of this URL answers {"casUrl", "exp", "accessToken"}, as Hubs do. It is sent with these headers
  /// alone, not with those of HttpCasOptions. Empty: there is none.
  std::string refresh_url;
  net::Headers refresh_headers;
};

struct HttpCasOptions {
  /// Base URL: `/v1/…` is put behind it as it is. Empty: the `casUrl` that `credentials.refresh_url` answers,
  /// asked for when the CAS is opened.
  std::string endpoint;
  /// The endpoint as the user typed it, for messages; empty: the base URL.
  std::string name;
  Credentials credentials;
  /// Sent with every request but those for tokens, also to the hosts that serve the bytes of xorbs: never a
  /// secret of the CAS.
  net::Headers headers;
  std::string user_agent;  ///< empty: none is sent
  std::string session_id;  ///< empty: a new UUIDv7
  /// Path element of xorb and dedup URLs.
  std::string prefix = "default";
  /// Below it, in a directory for this endpoint, lie shard places as the genuine client has them; empty: none
  /// are kept.
  std::filesystem::path cache_root;

  net::RetryLadder retry;
  net::PatienceLimits patience;
  net::ConcurrencyBounds uploads{.initial = 2};
  net::ConcurrencyBounds downloads{.initial = 4};
  /// 1 or 2; nothing: 2, and 1 where the server does not know it.
  std::optional<uint64_t> reconstruction_api_version;
  std::optional<uint64_t> shard_api_version;
  bool legacy_direct_xorb_upload = false;  ///< never ask for grants
  size_t max_xorb_grant_attempts = 3;      ///< 0 counts as 1
  bool ask_for_dedup = true;               ///< false: query_dedup() knows nothing
  bool enable_multirange_fetching = false;

  /// Shared, because several CASes may use one pool of connections.
  std::shared_ptr<net::Transport> transport;
  /// Must outlive the CAS.
  const Clock* clock = &system_clock();
  /// Uniform in [0, 1), for the jitter of sleeps and for session ids; thread-safe. Empty: the system's.
  std::function<double()> random;
  /// Told in one line, for people, when a request failed and will be repeated. From any thread; short.
  std::function<void(std::string_view)> on_trouble;
};

/// A CAS behind HTTP (docs/protocol.md). kInvalidArgument when an option makes no sense. Sends nothing,
/// unless the endpoint has to be asked for: then it blocks for that, and gives that request's errors; `stop`
/// ends it.
///
/// Callbacks come on the transport's thread, on threads of the CAS, or on the caller's. The CAS must not be
/// destroyed from one of them; destroying it waits for calls under way, so stop them first.
Result<std::unique_ptr<Cas>> open_http_cas(HttpCasOptions options, std::stop_token stop = {});

}  // namespace xet::cas
