#include "net/network_settings.h"

#include <gtest/gtest.h>

#include <map>

#include "support/temp_dir.h"

namespace xet::net {
namespace {

using Variables = std::map<std::string, std::string, std::less<>>;

Environment environment(Variables variables) {
  return [variables = std::move(variables)](std::string_view name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
}

TEST(NetworkSettings, TheFirstFileOfCertificatesWins) {
  struct Row {
    Variables variables;
    std::string file, directory, variable;
  };
  const testing::TempDir directory;  // as the root: of a system without certificates
  const std::string path = directory.path();
  const std::vector<Row> rows = {
      {{}, "", "", ""},
      {{{"SSL_CERT_FILE", "a"}, {"REQUESTS_CA_BUNDLE", "b"}, {"CURL_CA_BUNDLE", "c"}},
       "a",
       "",
       "SSL_CERT_FILE"},
      {{{"SSL_CERT_FILE", ""}, {"REQUESTS_CA_BUNDLE", "b"}, {"CURL_CA_BUNDLE", "c"}},
       "b",
       "",
       "REQUESTS_CA_BUNDLE"},
      {{{"CURL_CA_BUNDLE", "c"}}, "c", "", "CURL_CA_BUNDLE"},
      {{{"SSL_CERT_DIR", "d"}}, "", "d", "SSL_CERT_DIR"},
      {{{"SSL_CERT_FILE", "a"}, {"SSL_CERT_DIR", "d"}}, "a", "d", "SSL_CERT_FILE"},
      {{{"REQUESTS_CA_BUNDLE", path}}, "", path, "REQUESTS_CA_BUNDLE"},
      {{{"ssl_cert_file", "a"}}, "", "", ""},
  };
  for (const auto& row : rows) {
    const auto trust = read_trust(environment(row.variables), directory.path());
    EXPECT_EQ(trust.file, row.file);
    EXPECT_EQ(trust.directory, row.directory);
    EXPECT_EQ(trust.variable, row.variable);
  }
}

TEST(NetworkSettings, TheCertificatesOfEachSystemAreFound) {
  const std::vector<std::vector<std::string>> systems = {
      {"etc/ssl/certs/ca-certificates.crt", "etc/ssl/cert.pem"},  // Debian and Alpine have both
      {"etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "etc/pki/tls/certs/ca-bundle.crt"},
      {"etc/pki/tls/certs/ca-bundle.crt", "etc/ssl/certs/ca-bundle.crt"},
      {"var/lib/ca-certificates/ca-bundle.pem", "etc/ssl/ca-bundle.pem"},
      {"etc/ssl/ca-bundle.pem"},
      {"etc/ssl/cert.pem", "etc/ssl/certs/0a1b2c3d.0"},
  };
  for (const auto& files : systems) {
    const testing::TempDir root;
    for (const auto& file : files) {
      std::filesystem::create_directories((root / file).parent_path());
      testing::write_bytes(root / file, {});
    }
    const auto trust = read_trust(environment({}), root.path());
    EXPECT_EQ(trust.file, root / files.front());
    EXPECT_EQ(trust.directory, "");
    EXPECT_EQ(trust.variable, "");
    EXPECT_EQ(read_trust(environment({{"SSL_CERT_FILE", "own"}}), root.path()).file, "own");
    EXPECT_EQ(read_trust(environment({{"SSL_CERT_DIR", "own"}}), root.path()).file, "");
  }
}

TEST(NetworkSettings, ADirectoryOfCertificatesIsBetterThanNone) {
  const testing::TempDir root;
  std::filesystem::create_directories(root / "etc/ssl/certs/ca-certificates.crt");  // no file
  std::filesystem::create_directories(root / "etc/pki/tls/certs");
  std::filesystem::create_symlink("gone", root / "etc/pki/tls/certs/ca-bundle.crt");
  const auto trust = read_trust(environment({}), root.path());
  EXPECT_EQ(trust.file, "");
  EXPECT_EQ(trust.directory, root / "etc/ssl/certs");
}

TEST(NetworkSettings, ProxiesByScheme) {
  struct Row {
    Variables variables;
    std::string http, https, no_proxy;
  };
  const std::vector<Row> rows = {
      {{}, "", "", ""},
      {{{"HTTP_PROXY", "h"}, {"HTTPS_PROXY", "s"}, {"ALL_PROXY", "a"}, {"NO_PROXY", "n"}}, "h", "s", "n"},
      {{{"http_proxy", "h"}, {"https_proxy", "s"}, {"no_proxy", "n"}}, "h", "s", "n"},
      {{{"ALL_PROXY", "a"}}, "a", "a", ""},
      {{{"all_proxy", "a"}, {"HTTP_PROXY", "h"}}, "h", "a", ""},
      {{{"HTTP_PROXY", "upper"}, {"http_proxy", "lower"}}, "upper", "", ""},
      {{{"HTTP_PROXY", ""}, {"http_proxy", "lower"}}, "", "", ""},
      {{{"NO_PROXY", ""}, {"no_proxy", "n"}, {"ALL_PROXY", "a"}}, "a", "a", ""},
      {{{"HTTPS_PROXY", "s"}, {"REQUEST_METHOD", "GET"}}, "", "", ""},
      {{{"HTTPS_PROXY", "s"}, {"REQUEST_METHOD", ""}}, "", "", ""},
      {{{"ALL_PROXY", "a"}, {"NO_PROXY", "*"}}, "", "", "*"},
      {{{"ALL_PROXY", "a"}, {"NO_PROXY", "x, * ,y"}}, "", "", "x, * ,y"},
      {{{"ALL_PROXY", "a"}, {"NO_PROXY", "*.x"}}, "a", "a", "*.x"},
  };
  for (const auto& row : rows) {
    const auto proxies = read_proxies(environment(row.variables));
    EXPECT_EQ(proxies.http, row.http);
    EXPECT_EQ(proxies.https, row.https);
    EXPECT_EQ(proxies.no_proxy, row.no_proxy);
  }
}

}  // namespace
}  // namespace xet::net
