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
  std::optional<TransportError> submit(Submission& submission);
};

// Takes it over, or says why not and leaves it.
std::optional<TransportError> CurlTransport::Impl::submit(Submission& submission) {
  const auto refused = [](Fault fault, ErrorCode code, std::string why) {
    return TransportError{fault, {code, std::move(why)}, std::nullopt};
  };
  {
    auto state = context.inbox->state.lock();
    if (state->messages.closing) {
      return refused(Fault::kCancelled, ErrorCode::kCancelled, "the transport is being closed");
    }
    if (!state->has_thread) {
      if (thread.joinable()) thread.join();  // has left its loop, and needs no lock any more
      try {
        thread = std::thread([this] { run(); });
      } catch (const std::system_error& error) {
        return refused(Fault::kConnect, ErrorCode::kIo,
                       std::string("cannot start a thread: ") + error.what());
      }
      state->has_thread = true;
    }
    state->messages.submitted.push_back(std::move(submission));
  }
  context.inbox->wake();
  return std::nullopt;
}

std::unique_ptr<CurlTransport> CurlTransport::make(CurlOptions options) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  XET_CHECK(ready == CURLE_OK);
  const Environment environment =
      options.environment ? std::move(options.environment) : [](std::string_view) { return std::nullopt; };
  auto impl =
      std::make_unique<Impl>(Impl{.context = {.clock = *options.clock,
                                              .inbox = std::make_shared<CurlInbox>(),
                                              .trust = read_trust(environment),
                                              .proxies = read_proxies(environment),
                                              .unix_socket_path = std::move(options.unix_socket_path),
                                              .headers = std::move(options.headers),
                                              .idle_connection_timeout = options.idle_connection_timeout,
                                              .keeps_connections = options.max_idle_connections > 0},
                                  .max_idle_connections = options.max_idle_connections,
                                  .thread = {}});
  return std::unique_ptr<CurlTransport>(new CurlTransport(std::move(impl)));
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
  Submission submission{std::move(request), std::move(stop), std::move(done)};
  if (auto refusal = impl_->submit(submission)) submission.done(tl::unexpected(*std::move(refusal)));
}

}  // namespace xet::net
