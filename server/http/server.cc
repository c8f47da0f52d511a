#include "server/http/server.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <condition_variable>
#include <set>
#include <utility>

#include "base/sync.h"
#include "base/try.h"
#include "exec/thread_pool.h"
#include "server/http/address.h"
#include "server/http/app.h"
#include "server/http/connection.h"
#include "server/http/event_loop.h"

namespace xet::http {

namespace {

// Descriptors that are not for connections; each of these may need a second one, for an object.
constexpr size_t kOtherFiles = 64;
constexpr size_t kAdminConnections = 32;

/// As many descriptors as the system lets us have; how many that are.
size_t raise_file_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  if (limit.rlim_cur < limit.rlim_max) {
    const rlimit raised{.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  return static_cast<size_t>(limit.rlim_cur);
}

ServerLimits resolve(ServerLimits limits) {
  if (limits.body_slots == 0) limits.body_slots = exec::ThreadPool::usable_cores() * 8;
  const size_t files = raise_file_limit();
  const size_t for_connections = files > kOtherFiles + 2 ? (files - kOtherFiles) / 2 : 1;
  limits.max_connections = std::clamp<size_t>(limits.max_connections, 1, for_connections);
  return limits;
}

std::string url_of(const ListenAddress& address, uint16_t port, bool tls) {
  const bool is_v6 = address.host.find(':') != std::string::npos;
  const std::string host = address.host.empty() ? "localhost"
                           : is_v6              ? "[" + address.host + "]"
                                                : address.host;
  return fmt::format("{}://{}:{}", tls ? "https" : "http", host, port);
}

}  // namespace

struct Server::Impl {
  Impl(core::CasService& service, const ServerLimits& limits, size_t work_threads, size_t sync_threads,
       size_t io_threads)
      : app(service, limits, work_threads, sync_threads), loop(std::make_unique<EventLoop>(io_threads)) {}
  ~Impl() {
    drain(std::chrono::milliseconds(0));
    // What a thread of the pools is about to tell a connection must be told before the loop ends.
    app.work.reset();
    app.sync.reset();
    listener.reset();
    admin_listener.reset();
    loop.reset();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  struct Open {
    std::set<std::shared_ptr<Connection>> connections;
    bool drained = false;
  };

  Status listen(const ServerOptions& options);
  void serve(std::shared_ptr<Stream> stream, bool is_admin);
  static Detached run(Impl& impl, std::shared_ptr<Connection> connection);
  bool wait_until_empty(SteadyTime until);
  bool drain(std::chrono::milliseconds limit);

  App app;
  std::string url;
  Sync<Open> open;
  std::condition_variable changed;
  std::shared_ptr<EventLoop::Listener> listener;  // shared with its connections, as EventLoop makes them
  std::shared_ptr<EventLoop::Listener> admin_listener;
  std::unique_ptr<EventLoop> loop;
};

Status Server::Impl::listen(const ServerOptions& options) {
  XET_TRY(const auto address, ListenAddress::parse(options.listen));
  if (!options.auth && !address.is_loopback) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("without tokens the server listens on loopback addresses only, not on {}",
                            options.listen));
  }
  if (!options.public_url.empty()) {
    XET_TRY(app.public_url, parse_public_url(options.public_url));
  }
  if (options.tls_certificate.empty() != options.tls_key.empty()) {
    return fail(ErrorCode::kInvalidArgument, "TLS needs both, a certificate and its key");
  }
  std::shared_ptr<TlsIdentity::State> tls;
  if (!options.tls_certificate.empty()) {
    XET_TRY(const auto identity, TlsIdentity::load(options.tls_certificate, options.tls_key));
    tls = identity.state();
  }
  app.tls = tls != nullptr;
  if (options.admin_listen) {
    XET_TRY(const auto admin_address, ListenAddress::parse(*options.admin_listen));
    XET_TRY(admin_listener, loop->listen({.address = admin_address,
                                          .tls = nullptr,
                                          .max_connections = kAdminConnections,
                                          .on_connection = [this](std::shared_ptr<Stream> stream) {
                                            serve(std::move(stream), true);
                                          }}));
  }
  XET_TRY(listener, loop->listen({.address = address,
                                  .tls = tls,
                                  .max_connections = app.limits.max_connections,
                                  .on_connection = [this](std::shared_ptr<Stream> stream) {
                                    serve(std::move(stream), false);
                                  }}));
  url = url_of(address, listener->port(), app.tls);
  app.fallback_url = url;
  return {};
}

void Server::Impl::serve(std::shared_ptr<Stream> stream, bool is_admin) {
  auto connection = std::make_shared<Connection>(app, std::move(stream), is_admin);
  {
    auto guard = open.lock();
    if (guard->drained) return;  // accepted in the last moment
    guard->connections.insert(connection);
  }
  app.metrics.connections_accepted.fetch_add(1, std::memory_order_relaxed);
  app.metrics.connections_open.fetch_add(1, std::memory_order_relaxed);
  run(*this, std::move(connection));
}

Detached Server::Impl::run(Impl& impl, std::shared_ptr<Connection> connection) {
  co_await connection->serve();
  impl.app.metrics.connections_open.fetch_sub(1, std::memory_order_relaxed);
  auto open = impl.open.lock();
  open->connections.erase(connection);
  // With the lock held: whoever waits for the last one destroys what we stand on.
  impl.changed.notify_all();
}

bool Server::Impl::wait_until_empty(SteadyTime until) {
  auto guard = open.lock();
  return guard.wait_until(system_clock(), changed, until, [&] { return guard->connections.empty(); });
}

bool Server::Impl::drain(std::chrono::milliseconds limit) {
  {
    auto guard = open.lock();
    if (std::exchange(guard->drained, true)) return true;
  }
  const auto until = std::chrono::steady_clock::now() + limit;
  app.draining.store(true, std::memory_order_relaxed);
  if (listener) listener->close();
  if (admin_listener) admin_listener->close();
  // Copies: a guard in the head of the loop would be gone before its body.
  const auto to_stop = open.lock()->connections;
  for (const auto& connection : to_stop) connection->stop();
  if (wait_until_empty(until)) return true;
  app.cut_off.request_stop();
  const auto to_cut_off = open.lock()->connections;
  for (const auto& connection : to_cut_off) connection->cut_off();
  (void)wait_until_empty(SteadyTime::max());
  return false;
}

Result<std::unique_ptr<Server>> Server::start(core::CasService& service, ServerOptions options) {
  const auto limits = resolve(options.limits);
  const size_t cores = exec::ThreadPool::usable_cores();
  const size_t io_threads = options.io_threads == 0 ? cores : options.io_threads;
  const size_t work_threads =
      options.work_threads == 0 ? std::max<size_t>(4, cores * 2) : options.work_threads;
  const size_t sync_threads =
      options.sync_threads == 0 ? std::min<size_t>(64, limits.body_slots) : options.sync_threads;
  auto impl = std::make_unique<Impl>(service, limits, work_threads, sync_threads, io_threads);
  auto& app = impl->app;
  app.auth = options.auth;
  app.clock = options.clock;
  app.access_log = std::move(options.access_log);
  app.event_log = std::move(options.event_log);
  XET_TRY(app.tokens, core::TokenAuthority::open(service.meta(), *options.clock));
  XET_TRY(app.signer, core::UrlSigner::open(service.meta(), *options.clock));
  if (options.hub != nullptr) {
    app.hub = std::make_unique<hub::Hub>(*options.hub, *options.clock);
    app.lfs_uploads = std::make_unique<hub::LfsUploads>(service, options.lfs_directory);
  }
  XET_TRY_STATUS(impl->listen(options));
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() = default;

uint16_t Server::port() const {
  return impl_->listener->port();
}
std::optional<uint16_t> Server::admin_port() const {
  if (!impl_->admin_listener) return std::nullopt;
  return impl_->admin_listener->port();
}
std::string Server::url() const {
  return impl_->url;
}
bool Server::drain(std::chrono::milliseconds limit) {
  return impl_->drain(limit);
}

}  // namespace xet::http
