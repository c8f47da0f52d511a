#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace xet::net {

/// The value of an environment variable; nullopt when it is not set.
using Environment = std::function<std::optional<std::string>(std::string_view name)>;

/// Whose certificates are believed. Both empty: what libcurl was built to believe.
struct TrustSettings {
  std::string file;
  std::string directory;
  std::string variable;  ///< the one that named the file, or else the directory; for messages
};

/// SSL_CERT_FILE, else REQUESTS_CA_BUNDLE, else CURL_CA_BUNDLE name a file of certificates
/// (REQUESTS_CA_BUNDLE may also name a directory), SSL_CERT_DIR a directory with their hashes. Once one is
/// set the system's certificates do not count. Empty variables are passed over. Without any: the first that
/// can be read of the bundles that Debian, Red Hat, SUSE and Alpine keep, or else /etc/ssl/certs. They are
/// looked for here, because a libcurl that comes along in a wheel was built on another system than it runs
/// on. `root` is where tests have their systems.
TrustSettings read_trust(const Environment& environment, const std::filesystem::path& root = "/");

/// Through whom requests go. Values may hold passwords: never printed.
struct ProxySettings {
  std::string http;      ///< for http URLs
  std::string https;     ///< for https URLs
  std::string no_proxy;  ///< comma list of hosts that are asked directly
};

/// ALL_PROXY, HTTPS_PROXY, HTTP_PROXY, NO_PROXY, each else in lower case; an empty one hides the lower-case
/// one. None at all where REQUEST_METHOD is set: there HTTP_PROXY may be the header `Proxy` of some request.
ProxySettings read_proxies(const Environment& environment);

}  // namespace xet::net
