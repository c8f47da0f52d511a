// The same server behind TLS.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "http/http_fixture.h"

namespace xet::testing {
namespace {

template <class T, auto Free>
struct Freed {
  void operator()(T* value) const { Free(value); }
};
template <class T, auto Free>
using Owned = std::unique_ptr<T, Freed<T, Free>>;

/// A certificate for itself, and its key.
void write_identity(const std::filesystem::path& certificate, const std::filesystem::path& key_file) {
  const Owned<EVP_PKEY, EVP_PKEY_free> key(EVP_EC_gen("P-256"));
  const Owned<X509, X509_free> x509(X509_new());
  ASN1_INTEGER_set(X509_get_serialNumber(x509.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(x509.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(x509.get()), 3600);
  X509_set_pubkey(x509.get(), key.get());
  X509_NAME* const name = X509_get_subject_name(x509.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("localhost"),
                             -1, -1, 0);
  X509_set_issuer_name(x509.get(), name);
  X509_sign(x509.get(), key.get(), EVP_sha256());
  const Owned<std::FILE, std::fclose> cert_out(std::fopen(certificate.c_str(), "wb"));
  const Owned<std::FILE, std::fclose> key_out(std::fopen(key_file.c_str(), "wb"));
  PEM_write_X509(cert_out.get(), x509.get());
  PEM_write_PrivateKey(key_out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
}

/// Sends one request with "Connection: close" and gives everything that comes until the goodbye.
class TlsClient {
 public:
  explicit TlsClient(uint16_t port, int max_version = TLS1_3_VERSION, std::string_view alpn = "\x08http/1.1")
      : context_(SSL_CTX_new(TLS_client_method())),
        socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval patience{.tv_sec = 30, .tv_usec = 0};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      throw std::runtime_error("connect");
    SSL_CTX_set_min_proto_version(context_.get(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context_.get(), max_version);
    SSL_CTX_set_cipher_list(context_.get(), "DEFAULT@SECLEVEL=0");
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_fd(ssl_.get(), socket_);
    if (!alpn.empty()) {
      SSL_set_alpn_protos(ssl_.get(), reinterpret_cast<const unsigned char*>(alpn.data()),
                          static_cast<unsigned>(alpn.size()));
    }
    connected_ = SSL_connect(ssl_.get()) == 1;
  }
  ~TlsClient() {
    ssl_.reset();
    ::close(socket_);
  }
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  bool is_connected() const { return connected_; }
  std::string protocol() const {
    const unsigned char* name = nullptr;
    unsigned len = 0;
    SSL_get0_alpn_selected(ssl_.get(), &name, &len);
    return {reinterpret_cast<const char*>(name), len};
  }
  void send(std::string_view bytes) {
    if (SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())) <= 0)
      throw std::runtime_error("send");
  }
  std::string read_all() {
    std::string out;
    std::array<char, 16 * 1024> buffer;
    int n = 0;
    while ((n = SSL_read(ssl_.get(), buffer.data(), buffer.size())) > 0)
      out.append(buffer.data(), static_cast<size_t>(n));
    said_goodbye_ = SSL_get_error(ssl_.get(), n) == SSL_ERROR_ZERO_RETURN;
    return out;
  }
  bool said_goodbye() const { return said_goodbye_; }
  std::string request(std::string_view method, std::string_view target, HttpHeaders headers,
                      std::string_view body = {}) {
    headers.emplace_back("Host", "localhost");
    headers.emplace_back("Connection", "close");
    if (!body.empty()) headers.emplace_back("Content-Length", std::to_string(body.size()));
    send(RawClient::head(method, target, headers));
    if (!body.empty()) send(body);
    return read_all();
  }

 private:
  Owned<SSL_CTX, SSL_CTX_free> context_;
  Owned<SSL, SSL_free> ssl_;
  int socket_;
  bool connected_ = false;
  bool said_goodbye_ = false;
};

class Tls : public ::testing::Test {
 protected:
  static void with_identity(http::ServerOptions& options, const TempDir& dir) {
    write_identity(dir / "cert.pem", dir / "key.pem");
    options.tls_certificate = dir / "cert.pem";
    options.tls_key = dir / "key.pem";
  }
  const TempDir pems_;
  HttpFixture fixture_{[this](auto& options) { with_identity(options, pems_); }};
  const SampleXorb xorb_ = make_xorb(40, 1, 50'000, 131'072);
};

TEST_F(Tls, CarriesUploadsAndDownloads) {
  TlsClient upload(fixture_.server().port());
  ASSERT_TRUE(upload.is_connected());
  EXPECT_EQ(upload.protocol(), "http/1.1");
  const auto stored = upload.request("POST", "/v1/xorbs/default/" + xorb_.hash.hex(), {fixture_.writer()},
                                     as_chars(xorb_.body));
  EXPECT_THAT(stored, ::testing::HasSubstr(R"({"was_inserted":true})"));
  EXPECT_TRUE(upload.said_goodbye());

  const auto file = fixture_.add_file(xorb_);
  const auto plan = TlsClient(fixture_.server().port())
                        .request("GET", "/v2/reconstructions/" + file.hash.hex(), {fixture_.reader()});
  const auto json = nlohmann::json::parse(plan.substr(plan.find("\r\n\r\n") + 4));
  const auto url = json["xorbs"][xorb_.hash.hex()][0]["url"].get<std::string>();
  EXPECT_TRUE(url.starts_with("https://localhost/d/")) << url;
  const auto data =
      TlsClient(fixture_.server().port()).request("GET", target_of(url), {{"Range", "bytes=0-"}});
  EXPECT_EQ(data.substr(data.find("\r\n\r\n") + 4), as_chars(xorb_.body));
}

TEST_F(Tls, TellsOfEarlyErrorsToo) {
  TlsClient client(fixture_.server().port());
  const auto answer =
      client.request("POST", "/v1/xorbs/default/" + xorb_.hash.hex(), {}, std::string(100'000, 'x'));
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 401 ")) << answer;
}

TEST_F(Tls, RefusesOldVersionsAndOtherProtocols) {
  EXPECT_FALSE(TlsClient(fixture_.server().port(), TLS1_1_VERSION).is_connected());
  EXPECT_TRUE(TlsClient(fixture_.server().port(), TLS1_2_VERSION).is_connected());
  EXPECT_FALSE(TlsClient(fixture_.server().port(), TLS1_3_VERSION, "\x02h2").is_connected());
  EXPECT_TRUE(TlsClient(fixture_.server().port(), TLS1_3_VERSION, "").is_connected());
}

TEST_F(Tls, IsNotSpokenByPlainClients) {
  auto client = fixture_.connect();
  client.send("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_ANY_THROW(client.read_answer());
}

TEST_F(Tls, ThatDoesNotBeginIsGivenUp) {
  const TempDir pems;
  HttpFixture fixture([&](auto& options) {
    with_identity(options, pems);
    options.limits.header = std::chrono::milliseconds(100);
  });
  auto client = fixture.connect();
  EXPECT_TRUE(client.is_closed_by_peer());
}

}  // namespace
}  // namespace xet::testing
