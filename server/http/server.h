#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "server/core/cas_service.h"
#include "server/http/limits.h"
#include "server/store/hub_store.h"
#include "xet/result.h"

namespace xet::http {

struct ServerOptions {
  /// Where clients connect: "127.0.0.1:8080", "[::1]:8080", ":8080" (every address). Port 0: any free one.
  std::string listen = "127.0.0.1:8080";
  /// Where /metrics is answered, without token and TLS; nowhere when not set.
  std::optional<std::string> admin_listen;
  /// What the URLs in answers begin with: "https://cas.example.org" or with a path behind. When empty, each
  /// request's Host header, which is right unless a proxy changes it.
  std::string public_url;
  /// PEM files, both or none: certificate chain and private key. Read once.
  std::filesystem::path tls_certificate;
  std::filesystem::path tls_key;
  /// False: no tokens are asked for, every file can be read. Taken only when `listen` is a loopback address.
  bool auth = true;
  /// What the Hub's routes work on: the other half of the service's store. Must outlive the server. None:
  /// only the CAS is served.
  store::HubStore* hub = nullptr;
  /// Where files that are uploaded as they are lie until they are stored; made when it is needed.
  std::filesystem::path lfs_directory;
  ServerLimits limits;
  /// Gets one JSON line, without line feed, per answered request, from any thread; must not block for long.
  std::function<void(std::string_view)> access_log;
  /// Gets one line for people about what concerns no single request; from any thread.
  std::function<void(std::string_view)> event_log;
  size_t io_threads = 0;  ///< 0: one per core
  size_t work_threads =
      0;  ///< for store calls that do not wait for the disk to sync; 0: two per core, at least 4
  size_t sync_threads = 0;  ///< for those that do; 0: as many as there are body slots, at most 64
  /// For token expiry, URL expiry and the times in logs; what connections wait for is real time. Must outlive
  /// the server.
  const Clock* clock = &system_clock();
};

/// The CAS over HTTP/1.1: routes, connections and TLS in front of a CasService.
///
///     XET_TRY(auto server, Server::start(*store.service, options));
///     wait_for_signal();
///     server->drain(std::chrono::seconds(10));
///
/// Runs on threads of its own, which block all signals. Thread-safe. The destructor drains without patience.
class Server {
 public:
  /// Listens when it returns. kInvalidArgument: an option cannot be (names it). kIo: an address cannot be
  /// bound, or a PEM file cannot be read. The service must outlive the server.
  static Result<std::unique_ptr<Server>> start(core::CasService& service, ServerOptions options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  uint16_t port() const;
  std::optional<uint16_t> admin_port() const;
  /// "http://127.0.0.1:8080": for telling people where it listens.
  std::string url() const;

  /// Stops listening, closes idle connections, lets running requests finish for up to `limit`, then cuts them
  /// off. Blocks until all is over. True when nothing had to be cut off. Further calls do nothing.
  bool drain(std::chrono::milliseconds limit);

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  const std::unique_ptr<Impl> impl_;
};

}  // namespace xet::http
