#include "net/curl_loop.h"

#include <curl/curl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <utility>
#include <vector>

#include "base/check.h"

namespace xet::net {

using std::chrono::milliseconds;
using MachineClock = std::chrono::steady_clock;

namespace {

// However long nothing is due; a clock that a test moves does not wake anybody.
constexpr milliseconds kLongestWait{1'000};

// Beside the CURL_POLL_… values.
constexpr int kClosed = -1;

int call_socket(CURL* easy, curl_socket_t fd, int what, void* loop, void* /*of_socket*/) {
  CurlExchange* exchange = nullptr;
  curl_easy_getinfo(easy, CURLINFO_PRIVATE, &exchange);
  // Idle connections have handles of libcurl's own.
  if (exchange != nullptr && what != CURL_POLL_REMOVE) exchange->on_socket(fd);
  // A socket that no connection was made with is closed first, and its number may belong to another thread by
  // now. Closing it ended the watch.
  const bool is_closed = what == CURL_POLL_REMOVE && exchange != nullptr && exchange->tried_socket(fd);
  static_cast<CurlLoop*>(loop)->watch_socket(fd, is_closed ? kClosed : what);
  return 0;
}

int call_timer(CURLM* /*multi*/, long timeout_ms, void* loop) {
  static_cast<CurlLoop*>(loop)->set_timer(timeout_ms);
  return 0;
}

// Signals are for the program's own threads; and OpenSSL, writing to a closed connection, raises SIGPIPE.
void block_signals() {
  sigset_t all;
  ::sigfillset(&all);
  for (const int fatal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP}) ::sigdelset(&all, fatal);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

CurlLoop::CurlLoop(CurlContext& context, size_t max_idle_connections)
    : context_(context),
      max_idle_connections_(max_idle_connections),
      multi_(curl_multi_init()),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      idle_since_(MachineClock::now()) {
  block_signals();
  XET_CHECK(multi_ != nullptr && epoll_ >= 0);
  context_.on_closing = [this](int fd) {
    watch_socket(fd, CURL_POLL_REMOVE);
    for (const auto& [id, exchange] : exchanges_) exchange->on_closing(fd);
  };
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &call_socket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &call_timer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  epoll_event event{.events = EPOLLIN, .data = {.fd = context_.inbox->fd()}};
  XET_CHECK(::epoll_ctl(epoll_, EPOLL_CTL_ADD, event.data.fd, &event) == 0);
}

CurlLoop::~CurlLoop() {
  XET_CHECK(exchanges_.empty());
  context_.on_closing = nullptr;
  curl_multi_cleanup(multi_);
  ::close(epoll_);
}

void CurlLoop::watch_socket(int fd, int what) {
  if (what == CURL_POLL_REMOVE || what == kClosed) {
    if (watched_.erase(fd) > 0 && what != kClosed) ::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
    return;
  }
  epoll_event event{.events = 0, .data = {.fd = fd}};
  if ((what & CURL_POLL_IN) != 0) event.events |= EPOLLIN;
  if ((what & CURL_POLL_OUT) != 0) event.events |= EPOLLOUT;
  const bool is_new = watched_.insert(fd).second;
  if (::epoll_ctl(epoll_, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd, &event) == 0) return;
  XET_CHECK(::epoll_ctl(epoll_, is_new ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) == 0);
}

void CurlLoop::set_timer(long timeout_ms) {
  timer_.reset();
  if (timeout_ms >= 0) timer_ = MachineClock::now() + milliseconds(timeout_ms);
}

void CurlLoop::run() {
  for (;;) {
    take_messages();
    if (closing_) break;
    look_after_limits();
    collect_ended();
    if (exchanges_.empty() && may_leave()) return;
    wait();
    collect_ended();
  }
  cancel_all();
}

void CurlLoop::take_messages() {
  auto messages = context_.inbox->take();
  closing_ = messages.closing;
  for (auto& submission : messages.submitted) {
    const uint64_t id = next_id_++;
    const bool send = !closing_ && !submission.stop.stop_requested();  // else it is cancelled before long
    auto& exchange = exchanges_[id] = std::make_unique<CurlExchange>(id, std::move(submission), context_);
    if (send) begin_hop(*exchange);
  }
  // A cancellation may be about an exchange of the same batch, so it comes second.
  for (const uint64_t id : messages.cancelled) {
    if (auto* exchange = find(id)) abandon(*exchange, Fault::kCancelled);
  }
  for (const uint64_t id : messages.resumed) {
    if (auto* exchange = find(id); exchange != nullptr && exchange->resume()) {
      abandon(*exchange, Fault::kRefusedByReceiver);
    }
  }
}

CurlExchange* CurlLoop::find(uint64_t id) const {
  const auto found = exchanges_.find(id);
  return found == exchanges_.end() ? nullptr : found->second.get();
}

void CurlLoop::begin_hop(CurlExchange& exchange) {
  if (auto wrong = exchange.prepare()) {
    finish(exchange, tl::unexpected(*std::move(wrong)));
    return;
  }
  context_.next_look = std::min(context_.next_look, exchange.next_look());
  // libcurl's limit is on all connections, in use or not; below the number in use it would close each one as
  // soon as it falls idle.
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS,
                    static_cast<long>(exchanges_.size() + max_idle_connections_));
  XET_CHECK(curl_multi_add_handle(multi_, exchange.handle()) == CURLM_OK);
}

void CurlLoop::collect_ended() {
  struct Ended {
    CurlExchange* exchange;
    CURLcode code;
  };
  // Collected first: the messages die when handles are removed and added.
  std::vector<Ended> ended;
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CurlExchange* exchange = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &exchange);
    ended.push_back({exchange, message->data.result});
  }
  for (const auto& [exchange, code] : ended) {
    curl_multi_remove_handle(multi_, exchange->handle());
    if (auto outcome = exchange->hop_ended(code)) {
      finish(*exchange, *std::move(outcome));
    } else {
      begin_hop(*exchange);
    }
  }
}

void CurlLoop::look_after_limits() {
  const Time now = context_.clock.now();
  if (now < context_.next_look) return;
  context_.next_look = Time::max();
  std::vector<std::pair<CurlExchange*, Fault>> late;
  for (const auto& [id, exchange] : exchanges_) {
    if (const auto fault = exchange->look(now)) {
      late.emplace_back(exchange.get(), *fault);
    } else {
      context_.next_look = std::min(context_.next_look, exchange->next_look());
    }
  }
  for (const auto& [exchange, fault] : late) abandon(*exchange, fault);
}

void CurlLoop::abandon(CurlExchange& exchange, Fault fault) {
  // In the middle of an exchange libcurl closes the connection with it.
  if (exchange.handle() != nullptr) curl_multi_remove_handle(multi_, exchange.handle());
  finish(exchange, exchange.abandon(fault));
}

void CurlLoop::finish(CurlExchange& exchange, Outcome outcome) {
  const auto node = exchanges_.extract(exchange.id());
  idle_since_ = MachineClock::now();
  node.mapped()->deliver(std::move(outcome));
}

void CurlLoop::wait() {
  auto timeout = kLongestWait;
  const auto shorten = [&](MachineClock::duration by) {
    timeout = std::clamp(std::chrono::ceil<milliseconds>(by), milliseconds(0), timeout);
  };
  if (timer_) shorten(*timer_ - MachineClock::now());
  if (const Time now = context_.clock.now(); context_.next_look < now + kLongestWait) {
    shorten(context_.next_look - now);
  }
  if (exchanges_.empty()) shorten(idle_since_ + context_.idle_connection_timeout - MachineClock::now());
  std::array<epoll_event, 64> events;
  const int n = ::epoll_wait(epoll_, events.data(), events.size(), static_cast<int>(timeout.count()));
  int running = 0;
  for (int i = 0; i < n; ++i) {
    const int fd = events[i].data.fd;
    if (fd == context_.inbox->fd()) continue;  // take_messages() comes next
    int what = 0;
    if ((events[i].events & (EPOLLIN | EPOLLHUP)) != 0) what |= CURL_CSELECT_IN;
    if ((events[i].events & EPOLLOUT) != 0) what |= CURL_CSELECT_OUT;
    if ((events[i].events & EPOLLERR) != 0) what |= CURL_CSELECT_ERR;
    curl_multi_socket_action(multi_, fd, what, &running);
  }
  if (timer_ && MachineClock::now() >= *timer_) {
    timer_.reset();
    curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
  }
}

bool CurlLoop::may_leave() {
  if (MachineClock::now() < idle_since_ + context_.idle_connection_timeout) return false;
  auto state = context_.inbox->state.lock();
  if (!state->messages.submitted.empty() || state->messages.closing) return false;
  state->has_thread = false;
  return true;
}

void CurlLoop::cancel_all() {
  while (!exchanges_.empty()) abandon(*exchanges_.begin()->second, Fault::kCancelled);
}

}  // namespace xet::net
