// How a CurlExchange tells libcurl what to do.

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "net/curl_exchange.h"
#include "net/curl_transport.h"
#include "net/url.h"

namespace xet::net {

using std::chrono::milliseconds;

namespace {

// The kernel gives a connection up when its peer has acknowledged nothing for so long, or does not answer to
// keep-alive probes: what Patience cannot see, an answer that may take for ever.
constexpr int kUnacknowledgedMs = 30'000;
constexpr int kKeepAliveIdleS = 15;
constexpr int kKeepAliveIntervalS = 15;
constexpr int kKeepAliveProbes = 3;
constexpr long kHappyEyeballsMs = 300;
// Larger ones were no faster over loopback, with 1, 4 and 64 connections; smaller ones cost more.
constexpr long kUploadBufferBytes = 128L << 10;

template <class Value>
void set(CURL* easy, CURLoption option, Value value) {
  curl_easy_setopt(easy, option, value);
}

// libcurl's zero means its default, and it counts in long.
long as_curl_limit(milliseconds limit) {
  constexpr milliseconds kMost = std::chrono::hours(24 * 365);
  return static_cast<long>(std::clamp(limit, milliseconds(1), kMost).count());
}

std::string address_text(const sockaddr* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(address);
    ::inet_ntop(AF_INET, &v4->sin_addr, text.data(), text.size());
    return fmt::format("{}:{}", text.data(), ntohs(v4->sin_port));
  }
  if (address->sa_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(address);
    ::inet_ntop(AF_INET6, &v6->sin6_addr, text.data(), text.size());
    return fmt::format("[{}]:{}", text.data(), ntohs(v6->sin6_port));
  }
  return "";
}

void set_tcp_options(int fd) {
  const auto put = [fd](int level, int option, int value) {
    ::setsockopt(fd, level, option, &value, sizeof value);
  };
  put(IPPROTO_TCP, TCP_USER_TIMEOUT, kUnacknowledgedMs);
  put(SOL_SOCKET, SO_KEEPALIVE, 1);
  put(IPPROTO_TCP, TCP_KEEPIDLE, kKeepAliveIdleS);
  put(IPPROTO_TCP, TCP_KEEPINTVL, kKeepAliveIntervalS);
  put(IPPROTO_TCP, TCP_KEEPCNT, kKeepAliveProbes);
}

bool is_token(std::string_view text) {
  static constexpr std::string_view kSpecials = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           kSpecials.find(c) != std::string_view::npos;
  });
}

bool is_header_value(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return c == '\t' || (static_cast<unsigned char>(c) >= 32 && c != 127); });
}

std::string name_text(const X509_NAME* name) {
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> memory(BIO_new(BIO_s_mem()), &BIO_free_all);
  if (!memory || X509_NAME_print_ex(memory.get(), name, 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB) < 0)
    return "";
  char* text = nullptr;
  const long n = BIO_get_mem_data(memory.get(), &text);
  return {text, static_cast<size_t>(n)};
}

// Judges nothing, only keeps what OpenSSL did not like, so that the message can name it.
int note_complaint(int ok, X509_STORE_CTX* store) {
  if (ok == 1) return ok;
  const auto* session =
      static_cast<const SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto* context = static_cast<CurlContext*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(session)));
  const char* host = SSL_get_servername(session, TLSEXT_NAMETYPE_host_name);
  const X509* certificate = X509_STORE_CTX_get_current_cert(store);
  std::string complaint = X509_verify_cert_error_string(X509_STORE_CTX_get_error(store));
  if (certificate != nullptr) {
    complaint += fmt::format(" (issuer: {})", name_text(X509_get_issuer_name(certificate)));
  }
  context->certificate_complaints[host != nullptr ? host : ""] = std::move(complaint);
  return ok;
}

CURLcode watch_verification(CURL* /*easy*/, void* tls_context, void* context) {
  auto* tls = static_cast<SSL_CTX*>(tls_context);
  SSL_CTX_set_app_data(tls, context);  // outlives all connections of its thread
  SSL_CTX_set_verify(tls, SSL_CTX_get_verify_mode(tls), &note_complaint);
  return CURLE_OK;
}

bool curl_uses_openssl() {
  const auto* info = curl_version_info(CURLVERSION_NOW);
  return info->ssl_version != nullptr && std::string_view(info->ssl_version).starts_with("OpenSSL");
}

// --- What libcurl calls; `self` is the CurlExchange.

CurlExchange& exchange_of(void* self) {
  return *static_cast<CurlExchange*>(self);
}

curl_socket_t call_open_socket(void* self, curlsocktype /*purpose*/, curl_sockaddr* address) {
  const int fd = ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  if (fd < 0) return CURL_SOCKET_BAD;
  if (address->family != AF_UNIX) set_tcp_options(fd);
  exchange_of(self).on_trying(fd, address_text(&address->addr));
  return fd;
}

int call_close_socket(void* context, curl_socket_t fd) {
  auto& closing = static_cast<CurlContext*>(context)->on_closing;
  if (closing) closing(fd);
  return ::close(fd);
}

int call_connected(void* self, char* peer_ip, char* /*own_ip*/, int peer_port, int /*own_port*/) {
  const std::string_view ip = peer_ip == nullptr ? "" : peer_ip;
  const bool v6 = ip.find(':') != std::string_view::npos;
  exchange_of(self).on_connected(
      ip.empty() ? "" : fmt::format("{}{}{}:{}", v6 ? "[" : "", ip, v6 ? "]" : "", peer_port));
  return CURL_PREREQFUNC_OK;
}

size_t call_header(char* data, size_t size, size_t n, void* self) {
  return exchange_of(self).on_header_line({data, size * n}) ? size * n : 0;
}

size_t call_write(char* data, size_t size, size_t n, void* self) {
  switch (exchange_of(self).on_body(as_byte_span({data, size * n}))) {
    case CurlExchange::Taken::kAll:
      return size * n;
    case CurlExchange::Taken::kPause:
      return CURL_WRITEFUNC_PAUSE;
    case CurlExchange::Taken::kEnd:
      break;
  }
  return size * n + 1;  // any other number ends the transfer; 0 would not, after 0 bytes
}

size_t call_read(char* to, size_t size, size_t n, void* self) {
  return exchange_of(self).on_want_body(std::as_writable_bytes(std::span(to, size * n)));
}

int call_seek(void* self, curl_off_t offset, int origin) {
  const bool ok =
      origin == SEEK_SET && offset >= 0 && exchange_of(self).on_rewind(static_cast<uint64_t>(offset));
  return ok ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

}  // namespace

std::optional<TransportError> CurlExchange::prepare() {
  drop_handle();
  head_ = {};
  head_bytes_ = 0;
  has_head_ = false;
  mode_ = BodyMode::kExcerpt;
  body_.clear();
  received_ = 0;
  connected_ = false;
  socket_ = -1;
  tried_sockets_.clear();
  unread_.clear();
  peer_.clear();
  tried_.clear();
  on_rewind(0);
  const auto slashes = request_.url.find("://");
  const auto scheme = std::string_view(request_.url).substr(0, slashes == std::string::npos ? 0 : slashes);
  if (!same_header_name(scheme, "http") && !same_header_name(scheme, "https")) {
    return error(Fault::kBadRequest, "this is no http or https URL");
  }
  if (!is_token(request_.method)) return error(Fault::kBadRequest, "this is no HTTP method");
  if (auto wrong = build_headers()) return wrong;
  easy_ = curl_easy_init();
  if (easy_ == nullptr) return error(Fault::kConnect, "libcurl cannot make a handle");
  configure();
  return std::nullopt;
}

void CurlExchange::configure() {
  error_text_[0] = '\0';
  set(easy_, CURLOPT_PRIVATE, this);
  set(easy_, CURLOPT_ERRORBUFFER, error_text_.get());
  set(easy_, CURLOPT_URL, request_.url.c_str());
  set(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
  set(easy_, CURLOPT_PATH_AS_IS, 1L);  // a signature covers the path as it was given
  set(easy_, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(easy_, CURLOPT_NOSIGNAL, 1L);
  set(easy_, CURLOPT_QUICK_EXIT, 1L);  // cancelling does not wait for a name server
  set(easy_, CURLOPT_BUFFERSIZE, static_cast<long>(CurlTransport::kReceiveBytes));
  set(easy_, CURLOPT_HTTPHEADER, headers_);
  set(easy_, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);

  set(easy_, CURLOPT_CONNECTTIMEOUT_MS, as_curl_limit(request_.patience.connect));
  set(easy_, CURLOPT_HAPPY_EYEBALLS_TIMEOUT_MS, kHappyEyeballsMs);
  set(easy_, CURLOPT_OPENSOCKETFUNCTION, &call_open_socket);
  set(easy_, CURLOPT_OPENSOCKETDATA, this);
  // Called whenever the connection dies, long after this exchange perhaps: it knows the thread's context
  // only.
  set(easy_, CURLOPT_CLOSESOCKETFUNCTION, &call_close_socket);
  set(easy_, CURLOPT_CLOSESOCKETDATA, &context_);
  set(easy_, CURLOPT_PREREQFUNCTION, &call_connected);
  set(easy_, CURLOPT_PREREQDATA, this);
  const auto idle = std::chrono::ceil<std::chrono::seconds>(context_.idle_connection_timeout);
  set(easy_, CURLOPT_MAXAGE_CONN, std::max(1L, static_cast<long>(idle.count())));
  if (needs_new_connection_) set(easy_, CURLOPT_FRESH_CONNECT, 1L);
  if (!context_.keeps_connections) set(easy_, CURLOPT_FORBID_REUSE, 1L);

  set(easy_, CURLOPT_HEADERFUNCTION, &call_header);
  set(easy_, CURLOPT_HEADERDATA, this);
  set(easy_, CURLOPT_WRITEFUNCTION, &call_write);
  set(easy_, CURLOPT_WRITEDATA, this);
  configure_body();
  configure_trust();
  configure_proxy();
}

void CurlExchange::configure_body() {
  if (request_.has_body) {
    // One way for PUT and POST; as redirects are followed here, libcurl need not know the difference.
    set(easy_, CURLOPT_UPLOAD, 1L);
    set(easy_, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(body_size_));
    set(easy_, CURLOPT_UPLOAD_BUFFERSIZE, kUploadBufferBytes);
    set(easy_, CURLOPT_READFUNCTION, &call_read);
    set(easy_, CURLOPT_READDATA, this);
    set(easy_, CURLOPT_SEEKFUNCTION, &call_seek);
    set(easy_, CURLOPT_SEEKDATA, this);
  } else if (request_.method == "HEAD") {
    set(easy_, CURLOPT_NOBODY, 1L);
    return;
  }
  set(easy_, CURLOPT_CUSTOMREQUEST, request_.method.c_str());
}

void CurlExchange::configure_trust() {
  if (!context_.trust.file.empty() || !context_.trust.directory.empty()) {
    const char* file = context_.trust.file.empty() ? nullptr : context_.trust.file.c_str();
    const char* directory = context_.trust.directory.empty() ? nullptr : context_.trust.directory.c_str();
    set(easy_, CURLOPT_CAINFO, file);
    set(easy_, CURLOPT_CAPATH, directory);
    set(easy_, CURLOPT_PROXY_CAINFO, file);
    set(easy_, CURLOPT_PROXY_CAPATH, directory);
  } else if (const char* bundle = curl_version_info(CURLVERSION_NOW)->cainfo;
             bundle != nullptr && ::access(bundle, R_OK) == 0) {
    // Without the directory libcurl keeps the parsed bundle, instead of reading it for each connection.
    set(easy_, CURLOPT_CAPATH, static_cast<const char*>(nullptr));
    set(easy_, CURLOPT_PROXY_CAPATH, static_cast<const char*>(nullptr));
  }
  if (curl_uses_openssl()) {
    set(easy_, CURLOPT_SSL_CTX_FUNCTION, &watch_verification);
    set(easy_, CURLOPT_SSL_CTX_DATA, &context_);
  }
}

void CurlExchange::configure_proxy() {
  if (!context_.unix_socket_path.empty()) {
    set(easy_, CURLOPT_UNIX_SOCKET_PATH, context_.unix_socket_path.c_str());
    set(easy_, CURLOPT_PROXY, "");
    return;
  }
  const bool https = same_header_name(request_.url.substr(0, 6), "https:");
  // Empty, not null: libcurl would read the environment itself.
  set(easy_, CURLOPT_PROXY, (https ? context_.proxies.https : context_.proxies.http).c_str());
  set(easy_, CURLOPT_NOPROXY, context_.proxies.no_proxy.c_str());
}

std::optional<TransportError> CurlExchange::build_headers() {
  const auto add = [this](const Header& header) {
    // A lone semicolon is libcurl's way to send an empty value; a lone colon would remove the header.
    const auto line = header.value.empty() ? header.name + ";" : header.name + ": " + header.value;
    headers_ = curl_slist_append(headers_, line.c_str());
  };
  for (const auto* source : {&request_.headers, &context_.headers}) {
    for (const auto& header : *source) {
      if (!is_token(header.name) || !is_header_value(header.value)) {
        return error(
            Fault::kBadRequest,
            fmt::format("header {} cannot be sent", is_token(header.name) ? header.name : "with a bad name"));
      }
      if (same_header_name(header.name, "Content-Length")) {
        if (!request_.has_body || header.value == std::to_string(body_size_))
          continue;  // sent anyway, or not at all
        return error(Fault::kBadRequest,
                     fmt::format("header Content-Length does not fit {} bytes of body", body_size_));
      }
      if (same_header_name(header.name, "Transfer-Encoding")) {
        return error(Fault::kBadRequest, "header Transfer-Encoding cannot be sent");
      }
      if (left_first_origin_ && is_credential(header.name)) continue;
      if (source == &context_.headers && find_header(request_.headers, header.name)) continue;
      add(header);
    }
  }
  if (!find_header(request_.headers, "Expect")) headers_ = curl_slist_append(headers_, "Expect:");
  return std::nullopt;
}

void CurlExchange::drop_handle() {
  if (easy_ != nullptr) curl_easy_cleanup(easy_);
  easy_ = nullptr;
  curl_slist_free_all(headers_);
  headers_ = nullptr;
}

}  // namespace xet::net
