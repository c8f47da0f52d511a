#include "support/http_script.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstring>
#include <list>
#include <stdexcept>
#include <thread>
#include <utility>

#include "support/tls_socket.h"

namespace xet::testing {

namespace {

using std::chrono::seconds;

constexpr seconds kPatience{30};
constexpr size_t kMaxHeadBytes = size_t{1} << 20;

[[noreturn]] void fail_setup(const char* what) {
  throw std::runtime_error(fmt::format("http_script: {}: {}", what, std::strerror(errno)));
}

void set_int_option(int fd, int level, int option, int value) {
  ::setsockopt(fd, level, option, &value, sizeof value);
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// "name: value" lines after the request line.
net::Headers parse_headers(std::string_view lines) {
  net::Headers out;
  while (!lines.empty()) {
    const size_t end = lines.find("\r\n");
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 2);
    if (const size_t colon = line.find(':'); colon != std::string_view::npos) {
      out.push_back({std::string(line.substr(0, colon)), std::string(trimmed(line.substr(colon + 1)))});
    }
  }
  return out;
}

uint16_t bound_port(int fd) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) fail_setup("getsockname");
  return ntohs(address.sin_port);
}

int listen_tcp() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail_setup("socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail_setup("bind");
  return fd;
}

int listen_unix(const std::filesystem::path& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail_setup("socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.string().size() >= sizeof address.sun_path) throw std::runtime_error("socket path too long");
  std::strcpy(address.sun_path, path.c_str());
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail_setup("bind");
  return fd;
}

std::string_view reason_of(int status) {
  return status < 400 ? "OK" : "No";
}

}  // namespace

// --- Gate

void Gate::open() {
  *open_.lock() = true;
  opened_.notify_all();
}

bool Gate::is_open() const {
  return *open_.lock();
}

bool Gate::wait(const std::stop_token& stop) {
  const std::stop_callback wake(stop, [this] {
    *open_.lock();  // so that the wake-up is not lost between its test and its wait
    opened_.notify_all();
  });
  auto open = open_.lock();
  open.wait_until(system_clock(), opened_, std::chrono::steady_clock::now() + kPatience,
                  [&] { return *open || stop.stop_requested(); });
  return *open;
}

// --- SeenRequest

std::string SeenRequest::header(std::string_view name) const {
  return std::string(net::find_header(headers, name).value_or(""));
}
bool SeenRequest::has_header(std::string_view name) const {
  return net::find_header(headers, name).has_value();
}
std::string SeenRequest::path() const {
  return target.substr(0, target.find('?'));
}

// --- Server

struct HttpScript::Impl {
  struct State {
    std::vector<SeenRequest> requests;
    size_t n_connections = 0;
    size_t n_open = 0;
    size_t running = 0;
    size_t most_at_once = 0;
    uint64_t body_bytes = 0;
  };

  Handler handler;
  Options options;
  TlsIdentity identity;
  int listener = -1;
  uint16_t port = 0;
  int stop_fd = -1;  // readable once the server is being destroyed; every wait on a socket includes it
  std::stop_source stop;
  mutable Sync<State> state;
  mutable std::condition_variable changed;
  std::thread acceptor;
  std::list<std::thread> connections;  // the acceptor's

  template <class Change>
  void change(Change apply) {
    apply(*state.lock());
    changed.notify_all();
  }
  void accept_all();
  void serve(int fd, size_t number);
};

/// One connection; the exchanges on it share this.
struct HttpScript::Exchange::Impl {
  HttpScript::Impl& server;
  int fd;
  std::unique_ptr<TlsSocket> tls;
  size_t connection = 0;
  ByteVector input;        // read from the socket, not used yet
  ByteVector body;         // of the request, read so far
  uint64_t due = 0;        // bytes of the body, or of its current chunk, that have not been read
  bool chunked = false;    // and the last chunk has not come
  bool over = false;       // no further request on this connection
  bool keep_open = false;  // the handler did the closing

  /// Until the socket is ready for this; false when the server is being destroyed.
  bool ready(short events) const {
    std::array<pollfd, 2> fds{{{fd, events, 0}, {server.stop_fd, POLLIN, 0}}};
    while (::poll(fds.data(), fds.size(), -1) < 0) {
      if (errno != EINTR) return false;
    }
    return fds[1].revents == 0;
  }

  /// Reads something into `input`; false at the end, whatever its reason.
  bool fill() {
    const size_t old = input.size();
    constexpr size_t kStep = 64 << 10;
    for (;;) {
      if (!(tls && tls->has_pending()) && !ready(POLLIN)) return false;
      input.resize(old + kStep);
      const ssize_t n =
          tls ? tls->read(input.data() + old, kStep) : ::recv(fd, input.data() + old, kStep, MSG_DONTWAIT);
      input.resize(old + static_cast<size_t>(std::max<ssize_t>(n, 0)));
      if (n > 0) return true;
      if (n == 0 || (errno != EAGAIN && errno != EINTR)) return false;
    }
  }

  bool write_all(ByteSpan bytes) {
    while (!bytes.empty()) {
      if (!ready(POLLOUT)) return false;
      const ssize_t n = tls ? tls->write(bytes.data(), bytes.size())
                            : ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      if (n <= 0) return false;
      bytes = bytes.subspan(static_cast<size_t>(n));
    }
    return true;
  }

  std::optional<std::string> take_until(std::string_view end) {
    for (;;) {
      const std::string_view have = as_chars(input);
      if (const size_t at = have.find(end); at != std::string_view::npos) {
        std::string out(have.substr(0, at));
        input.erase(input.begin(), input.begin() + static_cast<ptrdiff_t>(at + end.size()));
        return out;
      }
      if (input.size() > kMaxHeadBytes || !fill()) return std::nullopt;
    }
  }

  // The size line of the next chunk; false when there is none.
  bool next_chunk() {
    const auto line = take_until("\r\n");
    if (!line || std::from_chars(line->data(), line->data() + line->size(), due, 16).ec != std::errc()) {
      over = true;
      return chunked = false;
    }
    if (due > 0) return true;
    take_until("\r\n");
    return chunked = false;
  }

  size_t read_some(size_t n) {
    if (n == 0 || (due == 0 && (!chunked || !next_chunk()))) return 0;
    if (input.empty() && !fill()) {
      over = true;
      due = 0;
      chunked = false;
      return 0;
    }
    const size_t take = static_cast<size_t>(std::min<uint64_t>({n, due, input.size()}));
    const auto end = input.begin() + static_cast<ptrdiff_t>(take);
    body.insert(body.end(), input.begin(), end);
    input.erase(input.begin(), end);
    due -= take;
    if (chunked && due == 0) take_until("\r\n");
    server.change([&](auto& s) { s.body_bytes += take; });
    return take;
  }

  void read_until_peer_closes() {
    while (fill()) input.clear();
  }
};

HttpScript::HttpScript(Handler handler) : HttpScript(std::move(handler), {}) {}

HttpScript::HttpScript(Handler handler, Options options) : impl_(std::make_unique<Impl>()) {
  impl_->handler = std::move(handler);
  impl_->options = std::move(options);
  if (impl_->options.tls) impl_->identity = TlsIdentity::make(impl_->options.tls_names);
  const bool tcp = impl_->options.unix_socket.empty();
  impl_->listener = tcp ? listen_tcp() : listen_unix(impl_->options.unix_socket);
  if (impl_->options.receive_buffer_bytes > 0) {  // inherited; it must be set before the handshake
    set_int_option(impl_->listener, SOL_SOCKET, SO_RCVBUF,
                   static_cast<int>(impl_->options.receive_buffer_bytes));
  }
  if (::listen(impl_->listener, 256) != 0) fail_setup("listen");
  if (tcp) impl_->port = bound_port(impl_->listener);
  impl_->stop_fd = ::eventfd(0, EFD_CLOEXEC);
  impl_->acceptor = std::thread([this] { impl_->accept_all(); });
}

HttpScript::~HttpScript() {
  impl_->stop.request_stop();
  const uint64_t one = 1;
  if (::write(impl_->stop_fd, &one, sizeof one) != sizeof one) std::abort();
  impl_->acceptor.join();
  for (auto& connection : impl_->connections) connection.join();
  ::close(impl_->listener);
  ::close(impl_->stop_fd);
}

void HttpScript::Impl::accept_all() {
  for (;;) {
    std::array<pollfd, 2> fds{{{listener, POLLIN, 0}, {stop_fd, POLLIN, 0}}};
    if (::poll(fds.data(), fds.size(), -1) < 0) continue;
    if (fds[1].revents != 0) return;
    const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    if (options.unix_socket.empty()) set_int_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    size_t number = 0;
    change([&](State& s) {
      number = s.n_connections++;
      ++s.n_open;
    });
    connections.emplace_back([this, fd, number] { serve(fd, number); });
  }
}

void HttpScript::Impl::serve(int fd, size_t number) {
  // OpenSSL writes without MSG_NOSIGNAL.
  sigset_t pipe_only;
  sigemptyset(&pipe_only);
  sigaddset(&pipe_only, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe_only, nullptr);

  Exchange::Impl connection{.server = *this, .fd = fd, .connection = number};
  if (options.on_connection && !options.on_connection(number)) {
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    connection.over = true;
  }
  if (!connection.over && options.tls) {
    connection.tls = identity.accept(fd, [&](short events) { return connection.ready(events); });
    if (!connection.tls) connection.over = true;
  }
  for (size_t nth = 0; !connection.over; ++nth) {
    const auto head = connection.take_until("\r\n\r\n");
    if (!head) break;
    SeenRequest request;
    const size_t line_end = std::min(head->find("\r\n"), head->size());
    const size_t space = std::min(head->find(' '), line_end);
    request.method = head->substr(0, space);
    const size_t space2 = std::min(head->find(' ', space + 1), line_end);
    request.target = space2 > space ? head->substr(space + 1, space2 - space - 1) : "";
    if (line_end + 2 <= head->size()) {
      request.headers = parse_headers(std::string_view(*head).substr(line_end + 2));
    }
    request.connection = number;
    request.nth_on_connection = nth;
    change([&](State& s) {
      request.nth = s.requests.size();
      s.requests.push_back(request);
      s.most_at_once = std::max(s.most_at_once, ++s.running);
    });
    connection.body.clear();
    connection.due = 0;
    const std::string length = request.header("Content-Length");
    std::from_chars(length.data(), length.data() + length.size(), connection.due);
    connection.chunked = request.header("Transfer-Encoding") == "chunked";
    const bool close = net::same_header_name(request.header("Connection"), "close");
    Exchange exchange(connection, std::move(request));
    handler(exchange);
    change([](State& s) { --s.running; });
    if (close) connection.over = true;
    while (!connection.over && connection.read_some(SIZE_MAX) > 0) connection.body.clear();
  }
  connection.tls.reset();
  ::close(fd);
  change([](State& s) { --s.n_open; });
}

// --- Exchange

HttpScript::Exchange::Exchange(Impl& impl, SeenRequest request) : impl_(impl), request_(std::move(request)) {}

const ByteVector& HttpScript::Exchange::body() {
  while (impl_.read_some(SIZE_MAX) > 0) {
  }
  return impl_.body;
}

size_t HttpScript::Exchange::read_some(size_t n) {
  return impl_.read_some(n);
}

bool HttpScript::Exchange::respond(int status, const net::Headers& headers, std::string_view body) {
  return respond(status, headers, as_byte_span(body));
}

bool HttpScript::Exchange::respond(int status, const net::Headers& headers, ByteSpan body) {
  net::Headers all = headers;
  const bool bodiless = status == 204 || status == 304;
  if (!bodiless && !net::find_header(headers, "Content-Length")) {
    all.push_back({"Content-Length", std::to_string(body.size())});
  }
  if (!head(status, all)) return false;
  return bodiless || request_.method == "HEAD" || raw(body);
}

bool HttpScript::Exchange::head(int status, const net::Headers& headers) {
  std::string text = fmt::format("HTTP/1.1 {} {}\r\n", status, reason_of(status));
  for (const auto& [name, value] : headers) text += fmt::format("{}: {}\r\n", name, value);
  return raw(text + "\r\n");
}

bool HttpScript::Exchange::raw(std::string_view bytes) {
  return raw(as_byte_span(bytes));
}

bool HttpScript::Exchange::raw(ByteSpan bytes) {
  return impl_.write_all(bytes);
}

bool HttpScript::Exchange::chunk(std::string_view bytes) {
  return raw(fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes));
}

bool HttpScript::Exchange::wait(Gate& gate) {
  return gate.wait(impl_.server.stop.get_token());
}

void HttpScript::Exchange::wait_for_peer_to_go() {
  impl_.over = true;
  impl_.read_until_peer_closes();
}

void HttpScript::Exchange::reset() {
  impl_.over = true;
  const linger now{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(impl_.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

void HttpScript::Exchange::close() {
  impl_.over = true;
}

void HttpScript::Exchange::close_gently() {
  impl_.over = true;
  if (impl_.tls) impl_.tls->shut_down();
  ::shutdown(impl_.fd, SHUT_WR);
  impl_.read_until_peer_closes();
}

void HttpScript::Exchange::black_hole() {
  impl_.over = true;
  // Asks for nothing, so only errors and hang-ups are reported.
  impl_.ready(POLLRDHUP);
}

bool HttpScript::Exchange::tunnel(uint16_t port) {
  impl_.over = true;
  const int other = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  bool going = ::connect(other, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  const bool connected = going;
  std::array<std::byte, 65536> buffer;
  const auto pass = [&](int from, int to) {
    const ssize_t n = ::recv(from, buffer.data(), buffer.size(), 0);
    return n > 0 && ::send(to, buffer.data(), static_cast<size_t>(n), MSG_NOSIGNAL) == n;
  };
  if (going && !impl_.input.empty()) {
    going = ::send(other, impl_.input.data(), impl_.input.size(), MSG_NOSIGNAL) >= 0;
    impl_.input.clear();
  }
  while (going) {
    std::array<pollfd, 3> fds{{{impl_.fd, POLLIN, 0}, {other, POLLIN, 0}, {impl_.server.stop_fd, POLLIN, 0}}};
    if (::poll(fds.data(), fds.size(), -1) < 0 || fds[2].revents != 0) break;
    if (fds[0].revents != 0) going = pass(impl_.fd, other);
    if (going && fds[1].revents != 0) going = pass(other, impl_.fd);
  }
  ::close(other);
  return connected;
}

// --- What the server saw

uint16_t HttpScript::port() const {
  return impl_->port;
}
std::string HttpScript::authority() const {
  return fmt::format("{}:{}", impl_->options.tls ? "localhost" : "127.0.0.1", impl_->port);
}
std::string HttpScript::url(std::string_view path) const {
  return fmt::format("{}://{}{}", impl_->options.tls ? "https" : "http", authority(), path);
}
const std::string& HttpScript::certificate_pem() const {
  return impl_->identity.certificate_pem();
}
const std::string& HttpScript::certificate_file_name() const {
  return impl_->identity.certificate_file_name();
}
size_t HttpScript::n_requests() const {
  return impl_->state.lock()->requests.size();
}
size_t HttpScript::n_connections() const {
  return impl_->state.lock()->n_connections;
}
size_t HttpScript::n_open() const {
  return impl_->state.lock()->n_open;
}
size_t HttpScript::most_at_once() const {
  return impl_->state.lock()->most_at_once;
}
uint64_t HttpScript::body_bytes() const {
  return impl_->state.lock()->body_bytes;
}
std::vector<SeenRequest> HttpScript::requests() const {
  return impl_->state.lock()->requests;
}
SeenRequest HttpScript::last_request() const {
  auto state = impl_->state.lock();
  if (state->requests.empty()) throw std::logic_error("http_script: there was no request");
  return state->requests.back();
}

bool HttpScript::wait_until(const std::function<bool()>& condition) const {
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= give_up) return false;
    // The condition may look at other things too, so it is asked every few milliseconds at least.
    auto state = impl_->state.lock();
    bool woken = false;
    state.wait_until(system_clock(), impl_->changed,
                     std::chrono::steady_clock::now() + std::chrono::milliseconds(5),
                     [&] { return std::exchange(woken, true); });
  }
  return true;
}

}  // namespace xet::testing
