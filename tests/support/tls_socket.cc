#include "support/tls_socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>

#include <cerrno>
#include <stdexcept>
#include <utility>

namespace xet::testing {

namespace {

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Context = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;
using Session = std::unique_ptr<SSL, Freed<SSL_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;

void check(bool ok) {
  if (!ok) throw std::runtime_error("tls_socket: OpenSSL refuses");
}

bool is_address(const std::string& name) {
  return name.find_first_not_of("0123456789.") == std::string::npos;
}

void add_extension(X509* certificate, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION_free>> extension(
      X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  check(extension && X509_add_ext(certificate, extension.get(), -1) == 1);
}

Certificate self_signed(EVP_PKEY* key, const std::vector<std::string>& names) {
  Certificate out(X509_new());
  check(out != nullptr);
  X509_set_version(out.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(out.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(out.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(out.get()), 3600);
  X509_set_pubkey(out.get(), key);
  X509_NAME* name = X509_get_subject_name(out.get());
  const auto* common = reinterpret_cast<const unsigned char*>("libxet test authority");
  check(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, common, -1, -1, 0) == 1);
  X509_set_issuer_name(out.get(), name);
  std::string alternatives;
  for (const auto& n : names) {
    if (!alternatives.empty()) alternatives += ',';
    alternatives += is_address(n) ? "IP:" : "DNS:";
    alternatives += n;
  }
  add_extension(out.get(), NID_subject_alt_name, alternatives);
  add_extension(out.get(), NID_basic_constraints, "critical,CA:TRUE");
  check(X509_sign(out.get(), key, EVP_sha256()) > 0);
  return out;
}

std::string to_pem(X509* certificate) {
  const std::unique_ptr<BIO, Freed<BIO_free_all>> memory(BIO_new(BIO_s_mem()));
  check(memory && PEM_write_bio_X509(memory.get(), certificate) == 1);
  char* text = nullptr;
  const long n = BIO_get_mem_data(memory.get(), &text);
  return {text, static_cast<size_t>(n)};
}

// What a failed call means for a caller that knows errno.
ssize_t as_errno(SSL* session, int result) {
  switch (SSL_get_error(session, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      errno = EAGAIN;
      return -1;
    case SSL_ERROR_ZERO_RETURN:
      return 0;
    default:
      ERR_clear_error();
      errno = ECONNRESET;
      return -1;
  }
}

}  // namespace

struct TlsSocket::Impl {
  Session session;
};

TlsSocket::TlsSocket(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TlsSocket::~TlsSocket() = default;

ssize_t TlsSocket::read(std::byte* to, size_t n) {
  ERR_clear_error();
  const int got = SSL_read(impl_->session.get(), to, static_cast<int>(n));
  return got > 0 ? got : as_errno(impl_->session.get(), got);
}

ssize_t TlsSocket::write(const std::byte* from, size_t n) {
  ERR_clear_error();
  const int put = SSL_write(impl_->session.get(), from, static_cast<int>(n));
  return put > 0 ? put : as_errno(impl_->session.get(), put);
}

bool TlsSocket::has_pending() const {
  return SSL_has_pending(impl_->session.get()) == 1;
}

void TlsSocket::shut_down() {
  ERR_clear_error();
  SSL_shutdown(impl_->session.get());
}

struct TlsIdentity::Impl {
  Context context;
};

TlsIdentity::TlsIdentity() = default;
TlsIdentity::~TlsIdentity() = default;
TlsIdentity::TlsIdentity(TlsIdentity&&) noexcept = default;
TlsIdentity& TlsIdentity::operator=(TlsIdentity&&) noexcept = default;

TlsIdentity TlsIdentity::make(const std::vector<std::string>& names) {
  const Key key(EVP_EC_gen("P-256"));
  check(key != nullptr);
  const Certificate certificate = self_signed(key.get(), names);
  Context context(SSL_CTX_new(TLS_server_method()));
  check(context != nullptr);
  check(SSL_CTX_use_certificate(context.get(), certificate.get()) == 1);
  check(SSL_CTX_use_PrivateKey(context.get(), key.get()) == 1);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  TlsIdentity out;
  out.certificate_pem_ = to_pem(certificate.get());
  out.certificate_file_name_ = fmt::format("{:08x}.0", X509_subject_name_hash(certificate.get()));
  out.impl_ = std::make_unique<Impl>(Impl{std::move(context)});
  return out;
}

std::unique_ptr<TlsSocket> TlsIdentity::accept(int fd, const std::function<bool(short events)>& ready) const {
  Session session(SSL_new(impl_->context.get()));
  check(session != nullptr);
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);  // NOLINT(cppcoreguidelines-pro-type-vararg)
  SSL_set_fd(session.get(), fd);
  for (;;) {
    ERR_clear_error();
    const int result = SSL_accept(session.get());
    if (result == 1) break;
    const int why = SSL_get_error(session.get(), result);
    ERR_clear_error();
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) return nullptr;
    if (!ready(why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT)) return nullptr;
  }
  return std::unique_ptr<TlsSocket>(new TlsSocket(std::make_unique<TlsSocket::Impl>(std::move(session))));
}

}  // namespace xet::testing
