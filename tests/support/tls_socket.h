#pragma once

#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace xet::testing {

/// The server's end of a TLS connection on a socket that it does not own. read() and write() never wait: they
/// return -1 with EAGAIN when the socket is not ready.
class TlsSocket {
 public:
  ~TlsSocket();
  TlsSocket(const TlsSocket&) = delete;
  TlsSocket& operator=(const TlsSocket&) = delete;
  ssize_t read(std::byte* to, size_t n);
  ssize_t write(const std::byte* from, size_t n);
  bool has_pending() const;  ///< bytes that poll() cannot see
  void shut_down();

 private:
  friend class TlsIdentity;
  struct Impl;
  explicit TlsSocket(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// A new key with a self-signed certificate, valid for an hour.
class TlsIdentity {
 public:
  TlsIdentity();
  ~TlsIdentity();
  TlsIdentity(TlsIdentity&&) noexcept;
  TlsIdentity& operator=(TlsIdentity&&) noexcept;

  /// For these DNS names and IPv4 addresses. Throws when OpenSSL will not.
  static TlsIdentity make(const std::vector<std::string>& names);
  const std::string& certificate_pem() const { return certificate_pem_; }
  /// The name by which OpenSSL finds the certificate in a directory of authorities.
  const std::string& certificate_file_name() const { return certificate_file_name_; }
  /// The handshake. `ready(events)` waits for poll events and says false to give up. Null when it failed.
  std::unique_ptr<TlsSocket> accept(int fd, const std::function<bool(short events)>& ready) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::string certificate_pem_;
  std::string certificate_file_name_;
};

}  // namespace xet::testing
