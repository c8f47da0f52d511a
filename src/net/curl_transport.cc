#include "net/curl_transport.h"

#include <curl/curl.h>

#include <system_error>
#include <thread>
#include <utility>

#include "base/check.h"
#include "net/curl_loop.h"

namespace xet::net {

struct CurlTransport::Impl {
  CurlContext context;
  size_t max_idle_connections = 0;
  std::thread thread;  // under the lock of the inbox

  void run() {
    CurlLoop loop(context, max_idle_connections);
    loop.run();
  }
};

std::unique_ptr<CurlTransport> CurlTransport::make(CurlOptions options) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  XET_CHECK(ready == CURLE_OK);
  const Environment environment =
      options.environment ? std::move(options.environment) : [](std::string_view) { return std::nullopt; };
  return std::unique_ptr<CurlTransport>(new CurlTransport(
      std::unique_ptr<Impl>(new Impl{.context = {.clock = *options.clock,
                                                 .inbox = std::make_shared<CurlInbox>(),
                                                 .trust = read_trust(environment),
                                                 .proxies = read_proxies(environment),
                                                 .unix_socket_path = std::move(options.unix_socket_path),
                                                 .headers = std::move(options.headers),
                                                 .idle_connection_timeout = options.idle_connection_timeout,
                                                 .keeps_connections = options.max_idle_connections > 0},
                                     .max_idle_connections = options.max_idle_connections,
                                     .thread = {}})));
}

CurlTransport::CurlTransport(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

CurlTransport::~CurlTransport() {
  std::thread thread;
  {
    auto state = impl_->context.inbox->state.lock();
    state->messages.closing = true;
    thread = std::move(impl_->thread);
  }
  impl_->context.inbox->wake();
  XET_CHECK(thread.get_id() != std::this_thread::get_id());
  if (thread.joinable()) thread.join();
}

void CurlTransport::start(Request request, std::stop_token stop, UniqueFunction<void(Outcome)> done) {
  TransportError refusal{
      Fault::kCancelled, {ErrorCode::kCancelled, "the transport is being closed"}, std::nullopt};
  bool taken = false;
  {
    auto state = impl_->context.inbox->state.lock();
    if (!state->messages.closing && !state->has_thread) {
      if (impl_->thread.joinable()) impl_->thread.join();  // has left its loop, and needs no lock any more
      try {
        impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
        state->has_thread = true;
      } catch (const std::system_error& error) {
        refusal = {Fault::kConnect,
                   {ErrorCode::kIo, std::string("cannot start a thread: ") + error.what()},
                   std::nullopt};
      }
    }
    taken = !state->messages.closing && state->has_thread;
    if (taken) state->messages.submitted.push_back({std::move(request), std::move(stop), std::move(done)});
  }
  if (taken) {
    impl_->context.inbox->wake();
  } else {
    done(tl::unexpected(std::move(refusal)));
  }
}

}  // namespace xet::net
