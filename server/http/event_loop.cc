#include "server/http/event_loop.h"

#if defined(__SANITIZE_THREAD__)
// ThreadSanitizer does not know fences. Asio's are beside the locks of its queue, which order everything
// here.
#define BOOST_ASIO_DISABLE_FENCED_BLOCK
#endif

#include <fmt/format.h>
#include <pthread.h>

#include <array>
#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/write.hpp>
#include <csignal>
#include <future>
#include <system_error>
#include <thread>
#include <vector>

#include "base/check.h"

// Asio's functions that take an error_code return the same one.
// NOLINTBEGIN(bugprone-unused-return-value)

namespace xet::http {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using boost::system::error_code;
using std::chrono::steady_clock;

namespace {

using Executor = asio::strand<asio::io_context::executor_type>;
using Socket = asio::basic_stream_socket<tcp, Executor>;
using Acceptor = asio::basic_socket_acceptor<tcp, Executor>;
using Timer = asio::basic_waitable_timer<steady_clock, asio::wait_traits<steady_clock>, Executor>;

// How long to wait when the process has no descriptor for another connection.
constexpr std::chrono::milliseconds kAcceptPause{100};

/// Signals are for the program's own threads; SIGPIPE, which sendfile() may raise, is for none.
class BlockedSignals {
 public:
  BlockedSignals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~BlockedSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

 private:
  sigset_t before_{};
};

class SocketStream : public Stream {
 public:
  /// What Asio calls at the end of an operation.
  struct Completion {
    SocketStream* stream;
    IoWaiter waiter;
    void operator()(error_code error, size_t n = 0) const { completed(waiter, stream->outcome_of(error, n)); }
  };

  /// `on_gone` is called by the destructor.
  SocketStream(Socket socket, std::function<void()> on_gone)
      : socket_(std::move(socket)),
        watchdog_(socket_.get_executor()),
        sleeper_(socket_.get_executor()),
        on_gone_(std::move(on_gone)) {
    error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
    socket_.set_option(asio::socket_base::keep_alive(true), ignored);
    socket_.native_non_blocking(true, ignored);
  }
  ~SocketStream() override {
    error_code ignored;
    socket_.close(ignored);
    on_gone_();
  }

  void start_handshake(IoWaiter waiter) override { complete(waiter, {}); }

  void start_read(MutableByteSpan into, IoWaiter waiter) override {
    if (fails_at_once(waiter)) return;
    socket_.async_read_some(asio::mutable_buffer(into.data(), into.size()), Completion{this, waiter});
  }

  void start_write(std::span<const ByteSpan> pieces, IoWaiter waiter) override {
    if (fails_at_once(waiter)) return;
    asio::async_write(socket_, buffers(pieces), Completion{this, waiter});
  }

  void start_wait_for_room(IoWaiter waiter) override {
    if (fails_at_once(waiter)) return;
    socket_.async_wait(Socket::wait_write, Completion{this, waiter});
  }

  void start_finish(IoWaiter waiter) override {
    error_code error;
    socket_.shutdown(Socket::shutdown_send, error);
    complete(waiter, outcome_of(error, 0));
  }

  void start_sleep(SteadyTime until, IoWaiter waiter) override {
    sleeper_.expires_at(until);
    sleeper_.async_wait([waiter](error_code /*cancelled or not*/) { completed(waiter, {}); });
  }

  void wake() override { sleeper_.cancel(); }

  void set_deadline(SteadyTime deadline) override {
    deadline_ = deadline;
    timed_out_ = false;
    // A timer that fires too early looks again, so a later deadline costs nothing now.
    if (deadline < watched_until_) watch(deadline);
  }

  void close() override {
    closed_ = true;
    // The descriptor stays until the end: a thread of a pool may be reading from it, and must not come to
    // read from whatever gets its number next.
    error_code ignored;
    socket_.shutdown(Socket::shutdown_both, ignored);
    socket_.cancel(ignored);
    sleeper_.cancel();
  }

  void post(UniqueFunction<void()> task) override {
    asio::post(socket_.get_executor(), [task = std::move(task)]() mutable { task(); });
  }
  void post(std::coroutine_handle<> coroutine) override {
    asio::post(socket_.get_executor(), [coroutine] { coroutine.resume(); });
  }

  int plain_socket() const override { return const_cast<Socket&>(socket_).native_handle(); }

 protected:
  /// At most kMaxPieces of them, kept inside the operation.
  static std::array<asio::const_buffer, kMaxPieces> buffers(std::span<const ByteSpan> pieces) {
    XET_CHECK(pieces.size() <= kMaxPieces);
    std::array<asio::const_buffer, kMaxPieces> out;
    for (size_t i = 0; i < pieces.size(); ++i)
      out[i] = asio::const_buffer(pieces[i].data(), pieces[i].size());
    return out;
  }

  static void completed(IoWaiter waiter, IoOutcome outcome) {
    *waiter.outcome = outcome;
    waiter.coroutine.resume();
  }
  /// The same for what needs no waiting; never before start_…() has returned.
  void complete(IoWaiter waiter, IoOutcome outcome) {
    asio::post(socket_.get_executor(), [waiter, outcome] { completed(waiter, outcome); });
  }

  bool fails_at_once(IoWaiter waiter) {
    if (!timed_out_ && !closed_) return false;
    complete(waiter, {.n_bytes = 0, .error = timed_out_ ? IoError::kTimedOut : IoError::kBroken});
    return true;
  }

  IoOutcome outcome_of(const error_code& error, size_t n) const {
    if (!error) return {.n_bytes = n, .error = IoError::kNone};
    if (closed_) return {.n_bytes = 0, .error = IoError::kBroken};
    if (timed_out_) return {.n_bytes = 0, .error = IoError::kTimedOut};
    const bool ended = error == asio::error::eof || error == asio::ssl::error::stream_truncated;
    return {.n_bytes = 0, .error = ended ? IoError::kEnd : IoError::kBroken};
  }

  Socket socket_;

 private:
  void watch(SteadyTime until) {
    watched_until_ = until;
    watchdog_.expires_at(until);  // ends the wait before
    watchdog_.async_wait([weak = weak_from_this()](error_code error) {
      if (error) return;
      if (const auto self = std::static_pointer_cast<SocketStream>(weak.lock())) self->look_at_deadline();
    });
  }
  void look_at_deadline() {
    if (steady_clock::now() < watched_until_) return;  // set anew while this was under way
    watched_until_ = kNever;
    if (deadline_ == kNever || closed_) return;
    if (steady_clock::now() < deadline_) return watch(deadline_);
    timed_out_ = true;
    error_code ignored;
    socket_.cancel(ignored);
  }

  Timer watchdog_;
  Timer sleeper_;
  std::function<void()> on_gone_;
  SteadyTime deadline_ = kNever;
  SteadyTime watched_until_ = kNever;  // when the watchdog fires; kNever: it does not
  bool timed_out_ = false;
  bool closed_ = false;
};

class TlsStream final : public SocketStream {
 public:
  TlsStream(Socket socket, asio::ssl::context& context, std::function<void()> on_gone)
      : SocketStream(std::move(socket), std::move(on_gone)), tls_(socket_, context) {}

  void start_handshake(IoWaiter waiter) override {
    if (fails_at_once(waiter)) return;
    tls_.async_handshake(asio::ssl::stream_base::server, Completion{this, waiter});
  }
  void start_read(MutableByteSpan into, IoWaiter waiter) override {
    // After goodbye only the end of what the peer sends matters.
    if (finished_) return SocketStream::start_read(into, waiter);
    if (fails_at_once(waiter)) return;
    tls_.async_read_some(asio::mutable_buffer(into.data(), into.size()), Completion{this, waiter});
  }
  void start_write(std::span<const ByteSpan> pieces, IoWaiter waiter) override {
    if (fails_at_once(waiter)) return;
    asio::async_write(tls_, buffers(pieces), Completion{this, waiter});
  }
  void start_finish(IoWaiter waiter) override {
    if (fails_at_once(waiter)) return;
    finished_ = true;
    // Waits for the peer's goodbye, or for anything else that he sends, which is an error and the end as
    // well.
    tls_.async_shutdown([this, waiter](error_code /*how he takes it*/) {
      error_code error;
      socket_.shutdown(Socket::shutdown_send, error);
      completed(waiter, outcome_of(error, 0));
    });
  }
  int plain_socket() const override { return -1; }

 private:
  asio::ssl::stream<Socket&> tls_;
  bool finished_ = false;
};

int choose_protocol(SSL* /*ssl*/, const unsigned char** out, unsigned char* out_len, const unsigned char* in,
                    unsigned int in_len, void* /*unused*/) {
  static constexpr std::array<unsigned char, 9> kOurs = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_len, kOurs.data(), kOurs.size(), in, in_len) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

struct TlsIdentity::State {
  asio::ssl::context context{asio::ssl::context::tls_server};
};

Result<TlsIdentity> TlsIdentity::load(const std::filesystem::path& certificate,
                                      const std::filesystem::path& key) {
  for (const auto& path : {certificate, key}) {
    if (::access(path.c_str(), R_OK) != 0) {
      return fail(ErrorCode::kIo,
                  fmt::format("{}: {}", path.string(), std::generic_category().message(errno)));
    }
  }
  auto state = std::make_shared<State>();
  auto& context = state->context;
  error_code error;
  context.use_certificate_chain_file(certificate.string(), error);
  if (error) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: no certificate in PEM form: {}", certificate.string(), error.message()));
  }
  context.use_private_key_file(key.string(), asio::ssl::context::pem, error);
  if (error) {
    return fail(
        ErrorCode::kInvalidArgument,
        fmt::format("{}: no private key of this certificate in PEM form: {}", key.string(), error.message()));
  }
  SSL_CTX* const native = context.native_handle();
  SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_options(native, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_alpn_select_cb(native, choose_protocol, nullptr);
  return TlsIdentity(std::move(state));
}

struct EventLoop::State {
  asio::io_context io;
  asio::executor_work_guard<asio::io_context::executor_type> guard{io.get_executor()};
  std::vector<std::jthread> threads;
};

namespace {

class SocketListener final : public EventLoop::Listener, public std::enable_shared_from_this<SocketListener> {
 public:
  SocketListener(asio::io_context& io, EventLoop::ListenOptions options)
      : io_(io),
        acceptor_(asio::make_strand(io)),
        pause_(acceptor_.get_executor()),
        options_(std::move(options)) {}

  Status open() {
    const auto& host = options_.address.host;
    error_code error;
    if (host.empty()) {
      error = open_at(asio::ip::address_v6::any());
      if (error) error = open_at(asio::ip::address_v4::any());  // a machine without IPv6
    } else {
      const auto address = asio::ip::make_address(host, error);
      if (!error) error = open_at(address);
    }
    if (!error) return {};
    return fail(ErrorCode::kIo,
                fmt::format("cannot listen on {} port {}: {}", host.empty() ? "any address" : host,
                            options_.address.port, error.message()));
  }
  uint16_t port() const override { return port_; }

  void close() override {
    std::promise<void> closed;
    asio::post(acceptor_.get_executor(), [&] {
      error_code ignored;
      acceptor_.close(ignored);
      pause_.cancel();
      closed.set_value();
    });
    closed.get_future().wait();
  }

  void start() {
    asio::post(acceptor_.get_executor(), [self = shared_from_this()] { self->accept(); });
  }

 private:
  error_code open_at(const asio::ip::address& address) {
    error_code error;
    const tcp::endpoint endpoint(address, options_.address.port);
    error_code ignored;
    acceptor_.close(ignored);
    acceptor_.open(endpoint.protocol(), error);
    if (error) return error;
    acceptor_.set_option(asio::socket_base::reuse_address(true), error);
    if (!error && address.is_v6()) {
      // "every address" means those of IPv4 too; one that was named means just that one.
      acceptor_.set_option(asio::ip::v6_only(!options_.address.host.empty()), error);
    }
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (!error) port_ = acceptor_.local_endpoint(error).port();
    return error;
  }

  void accept() {
    if (!acceptor_.is_open() || accepting_) return;
    if (open_ >= options_.max_connections) return;  // gone() comes back to it
    accepting_ = true;
    acceptor_.async_accept(
        asio::make_strand(io_), [self = shared_from_this()](error_code error, Socket socket) {
          self->accepting_ = false;
          if (!error) {
            self->serve(std::move(socket));
            return self->accept();
          }
          if (error == asio::error::operation_aborted) return;
          const bool scarce = error == asio::error::no_descriptors || error == asio::error::no_memory ||
                              error == asio::error::no_buffer_space ||
                              error == boost::system::errc::too_many_files_open_in_system;
          if (!scarce) return self->accept();
          self->pause_.expires_after(kAcceptPause);
          self->pause_.async_wait([self](error_code cancelled) {
            if (!cancelled) self->accept();
          });
        });
  }

  void serve(Socket socket) {
    ++open_;
    auto on_gone = [self = shared_from_this()] {
      asio::post(self->acceptor_.get_executor(), [self] {
        --self->open_;
        self->accept();
      });
    };
    std::shared_ptr<Stream> stream;
    if (options_.tls) {
      stream = std::make_shared<TlsStream>(std::move(socket), options_.tls->context, std::move(on_gone));
    } else {
      stream = std::make_shared<SocketStream>(std::move(socket), std::move(on_gone));
    }
    stream->post([self = shared_from_this(), stream] { self->options_.on_connection(stream); });
  }

  asio::io_context& io_;
  Acceptor acceptor_;
  Timer pause_;
  const EventLoop::ListenOptions options_;
  uint16_t port_ = 0;
  // On the acceptor's turn only.
  size_t open_ = 0;
  bool accepting_ = false;
};

}  // namespace

EventLoop::EventLoop(size_t n_threads) : state_(std::make_unique<State>()) {
  const BlockedSignals blocked;
  for (size_t i = 0; i < n_threads; ++i) {
    state_->threads.emplace_back([state = state_.get()] { state->io.run(); });
  }
}

EventLoop::~EventLoop() {
  state_->guard.reset();
  for (auto& thread : state_->threads) thread.join();
}

Result<std::shared_ptr<EventLoop::Listener>> EventLoop::listen(ListenOptions options) {
  auto listener = std::make_shared<SocketListener>(state_->io, std::move(options));
  auto opened = listener->open();
  if (!opened) return tl::unexpected(std::move(opened).error());
  listener->start();
  return listener;
}

}  // namespace xet::http

// NOLINTEND(bugprone-unused-return-value)
