#include "net/network_settings.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <system_error>

namespace xet::net {

namespace {

// All certificates in one file, which libcurl reads once; first those that the others are links to.
constexpr std::array<const char*, 6> kSystemBundles = {
    "etc/ssl/certs/ca-certificates.crt",                 // Debian, Ubuntu, Alpine, Arch
    "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  // Red Hat, Fedora
    "etc/pki/tls/certs/ca-bundle.crt",                   // Red Hat, older
    "var/lib/ca-certificates/ca-bundle.pem",             // SUSE
    "etc/ssl/ca-bundle.pem",                             // SUSE, older
    "etc/ssl/cert.pem",                                  // Alpine without the package ca-certificates
};
constexpr const char* kSystemDirectory = "etc/ssl/certs";

void find_system_trust(const std::filesystem::path& root, TrustSettings& out) {
  std::error_code ignored;
  for (const char* bundle : kSystemBundles) {
    const auto path = root / bundle;
    if (!std::filesystem::is_regular_file(path, ignored) || ::access(path.c_str(), R_OK) != 0) continue;
    out.file = path;
    return;
  }
  if (const auto path = root / kSystemDirectory; std::filesystem::is_directory(path, ignored))
    out.directory = path;
}

std::string either_case(const Environment& environment, std::string_view upper, std::string_view lower) {
  if (auto value = environment(upper)) return *std::move(value);
  return environment(lower).value_or("");
}

// A single * in the list; libcurl knows it only when it is the whole list.
bool excludes_all(std::string_view list) {
  while (!list.empty()) {
    std::string_view item = list.substr(0, list.find(','));
    list.remove_prefix(std::min(item.size() + 1, list.size()));
    while (!item.empty() && item.front() == ' ') item.remove_prefix(1);
    while (!item.empty() && item.back() == ' ') item.remove_suffix(1);
    if (item == "*") return true;
  }
  return false;
}

}  // namespace

TrustSettings read_trust(const Environment& environment, const std::filesystem::path& root) {
  TrustSettings out;
  for (const std::string_view name : {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}) {
    auto value = environment(name).value_or("");
    if (value.empty()) continue;
    std::error_code ignored;
    const bool directory = name == "REQUESTS_CA_BUNDLE" && std::filesystem::is_directory(value, ignored);
    (directory ? out.directory : out.file) = std::move(value);
    out.variable = name;
    break;
  }
  if (auto directory = environment("SSL_CERT_DIR").value_or(""); !directory.empty()) {
    out.directory = std::move(directory);
    if (out.variable.empty()) out.variable = "SSL_CERT_DIR";
  }
  if (out.variable.empty()) find_system_trust(root, out);
  return out;
}

ProxySettings read_proxies(const Environment& environment) {
  if (environment("REQUEST_METHOD")) return {};
  ProxySettings out;
  out.no_proxy = either_case(environment, "NO_PROXY", "no_proxy");
  if (excludes_all(out.no_proxy)) return out;
  const std::string all = either_case(environment, "ALL_PROXY", "all_proxy");
  out.http = either_case(environment, "HTTP_PROXY", "http_proxy");
  out.https = either_case(environment, "HTTPS_PROXY", "https_proxy");
  if (out.http.empty()) out.http = all;
  if (out.https.empty()) out.https = all;
  return out;
}

}  // namespace xet::net
