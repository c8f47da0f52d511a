// What a CurlExchange says when it failed.

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "net/curl_exchange.h"
#include "net/url.h"

namespace xet::net {

namespace {

ErrorCode code_of(Fault fault) {
  switch (fault) {
    case Fault::kCancelled:
      return ErrorCode::kCancelled;
    case Fault::kBadRequest:
      return ErrorCode::kInvalidArgument;
    case Fault::kBadHttp:
    case Fault::kTooLarge:
      return ErrorCode::kCorruption;
    case Fault::kResolve:
    case Fault::kConnect:
    case Fault::kTls:
    case Fault::kCertificate:
    case Fault::kNoAnswer:
    case Fault::kStalled:
    case Fault::kBroken:
    case Fault::kRedirects:
    case Fault::kRefusedByReceiver:
      return ErrorCode::kUnavailable;
  }
  return ErrorCode::kUnavailable;
}

// What libcurl wrote, fit to be shown: one line, no query of a URL, not endless.
std::string shown(std::string_view text) {
  constexpr size_t kLongest = 240;
  std::string out;
  bool in_query = false;
  for (const char c : text.substr(0, kLongest)) {
    if (c == ' ' || c == '\n' || c == '\r') in_query = false;
    if (c == '?') in_query = true;
    if (!in_query) out += static_cast<unsigned char>(c) < 32 ? ' ' : c;
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

Fault fault_of(CURLcode code, bool connected) {
  switch (code) {
    case CURLE_URL_MALFORMAT:
      return Fault::kBadRequest;
    case CURLE_UNSUPPORTED_PROTOCOL:  // of the URL; or the answer begins like no HTTP that there is
      return connected ? Fault::kBadHttp : Fault::kBadRequest;
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_OUT_OF_MEMORY:  // so libcurl calls a header line that is too long
      return connected ? Fault::kBadHttp : Fault::kConnect;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return Fault::kResolve;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
      return Fault::kCertificate;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ENGINE_INITFAILED:
      return Fault::kTls;
    default:
      return connected ? Fault::kBroken : Fault::kConnect;
  }
}

}  // namespace

std::string CurlExchange::subject() const {
  std::string out = fmt::format("{} {}", request_.method, without_secrets(request_.url));
  const std::string& address = peer_.empty() ? tried_ : peer_;
  if (!context_.unix_socket_path.empty()) {
    out += fmt::format(" (socket {})", context_.unix_socket_path);
  } else if (!address.empty()) {
    out += fmt::format(" ({})", address);
  }
  return out;
}

std::string CurlExchange::elapsed() const {
  return fmt::format("{:.1f} s", std::chrono::duration<double>(context_.clock.now() - started_).count());
}

TransportError CurlExchange::error(Fault fault, std::string why) const {
  const auto quiet = [this] {
    return fmt::format("{:.1f} s",
                       std::chrono::duration<double>(context_.clock.now() - watch_.since()).count());
  };
  const bool is_silence =
      fault == Fault::kNoAnswer || fault == Fault::kStalled || (fault == Fault::kConnect && why.empty());
  std::string moved;
  if (request_.has_body)
    moved += fmt::format("; {} of {} bytes of the body had left", handed_over_, body_size_);
  if (has_head_) moved += fmt::format("; {} bytes of the answer had come", received_);
  if (why.empty()) {
    switch (fault) {
      case Fault::kCancelled:
        why = "cancelled";
        break;
      case Fault::kConnect:
        why = fmt::format("no connection within {}", quiet());
        break;
      case Fault::kNoAnswer:
        why = fmt::format("no answer within {} of the request", quiet());
        break;
      case Fault::kStalled:
        why = fmt::format("nothing moved for {}{}", quiet(), moved);
        break;
      default:
        why = "failed";
    }
  } else if (fault == Fault::kBroken) {
    why += moved;
  }
  TransportError out;
  out.fault = fault;
  out.error = {code_of(fault), fmt::format("{}: {}", subject(), why)};
  out.error.timed_out = is_silence;
  if (fault != Fault::kCancelled) out.error.message += fmt::format(" (after {})", elapsed());
  if (has_head_) out.head = head_;
  return out;
}

TransportError CurlExchange::curl_error(int code) const {
  const auto curl_code = static_cast<CURLcode>(code);
  long os_error = 0;
  curl_easy_getinfo(easy_, CURLINFO_OS_ERRNO, &os_error);
  // The kernel's own limit on unacknowledged bytes: the same as ours, a moment earlier.
  if (connected_ && os_error == ETIMEDOUT) return error(Fault::kStalled, "");
  if (!connected_ && curl_code == CURLE_OPERATION_TIMEDOUT) return error(Fault::kConnect, "");
  const Fault fault = fault_of(curl_code, connected_);
  if (fault == Fault::kCertificate) return error(fault, certificate_error(code));
  long proxy_status = 0;
  curl_easy_getinfo(easy_, CURLINFO_HTTP_CONNECTCODE, &proxy_status);
  if (!connected_ && proxy_status >= 300) {
    return error(Fault::kConnect, fmt::format("the proxy refused the tunnel with status {}", proxy_status));
  }
  std::string why = shown(error_text_.get());
  if (why.empty()) why = curl_easy_strerror(curl_code);
  return error(fault, std::move(why));
}

std::string CurlExchange::certificate_error(int code) const {
  if (code == CURLE_SSL_CACERT_BADFILE) {
    const std::string& path = context_.trust.file.empty() ? context_.trust.directory : context_.trust.file;
    return fmt::format("cannot read the certificates to trust in {}{}",
                       path.empty() ? "the system's file" : path,
                       context_.trust.variable.empty() ? "" : fmt::format(" ({})", context_.trust.variable));
  }
  std::string host(host_of(request_.url));
  if (const size_t colon = host.rfind(':'); colon != std::string::npos && host.back() != ']')
    host.resize(colon);
  auto complaint = context_.certificate_complaints.extract(host);
  if (!complaint) complaint = context_.certificate_complaints.extract("");  // an address has no server name
  const std::string why = complaint ? complaint.mapped() : shown(error_text_.get());
  const std::string trusted =
      context_.trust.variable.empty()
          ? "name a file with the certificate of its authority in SSL_CERT_FILE, if you trust it"
          : fmt::format("{} names what is trusted instead of the system's certificates",
                        context_.trust.variable);
  return fmt::format("the certificate of {} is not trusted: {}; {}", host, why, trusted);
}

}  // namespace xet::net
