#include "net/curl_exchange.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "base/check.h"
#include "net/url.h"

namespace xet::net {

namespace {

// Of a head, interim ones and trailers included. Real ones have a few kilobytes.
constexpr size_t kMaxHeadBytes = size_t{64} << 10;
constexpr size_t kMaxHeaders = 256;
// What is kept of the body of an answer that is no success, and what is read of it, so that the connection
// can be used again, before the exchange ends without the rest.
constexpr size_t kExcerptBytes = size_t{4} << 10;
constexpr uint64_t kMaxUnwantedBytes = uint64_t{256} << 10;
constexpr size_t kMaxHops = 10;
constexpr size_t kUnreadBytes = size_t{16} << 10;

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && std::string_view(" \t\r\n").find(text.back()) != std::string_view::npos)
    text.remove_suffix(1);
  return text;
}

std::optional<uint64_t> content_length(const ResponseHead& head) {
  const auto text = find_header(head.headers, "Content-Length");
  uint64_t value = 0;
  if (!text) return std::nullopt;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  return error == std::errc() && end == text->data() + text->size() ? std::optional(value) : std::nullopt;
}

}  // namespace

CurlExchange::CurlExchange(uint64_t id, Submission submission, CurlContext& context)
    : id_(id),
      context_(context),
      request_(std::move(submission.request)),
      done_(std::move(submission.done)),
      watch_(request_.patience, context.clock.now()),
      started_(context.clock.now()),
      error_text_(std::make_unique<char[]>(CURL_ERROR_SIZE)) {
  for (const auto& piece : request_.body) body_size_ += piece.size();
  XET_CHECK(request_.has_body || body_size_ == 0);
  on_stop_.emplace(std::move(submission.stop), StopHook{context.inbox, id});
}

CurlExchange::~CurlExchange() {
  drop_handle();
}

void CurlExchange::deliver(Outcome outcome) {
  on_stop_.reset();
  drop_handle();
  auto done = std::move(done_);
  done(std::move(outcome));
}

// --- Time limits

void CurlExchange::watch_changed() {
  context_.next_look = std::min(context_.next_look, next_look());
}

ProgressWatch::Time CurlExchange::next_look() const {
  return std::min(watch_.deadline(), watch_.next_look_at_queue());
}

std::optional<Fault> CurlExchange::look(ProgressWatch::Time now) {
  if (now >= watch_.next_look_at_queue() || (watch_.is_sending() && now >= watch_.deadline())) {
    int unsent = 0;
    // Where the kernel does not tell, what it took counts as sent.
    if (socket_ < 0 ||
        ::ioctl(socket_, SIOCOUTQ, &unsent) != 0) {  // NOLINT(cppcoreguidelines-pro-type-vararg)
      unsent = 0;
    }
    watch_.queued(static_cast<uint64_t>(std::max(unsent, 0)), now);
    report_sent(handed_over_);
  }
  return watch_.fault(now);
}

void CurlExchange::on_trying(int fd, std::string address) {
  tried_sockets_.push_back(fd);
  tried_ = std::move(address);
}

void CurlExchange::on_connected(std::string peer) {
  connected_ = true;
  tried_sockets_.clear();
  peer_ = std::move(peer);
  // A repeat on a new connection reads the body again; nothing of an answer has come before.
  watch_.connected(request_.has_body && body_size_ > 0, context_.clock.now());
  watch_changed();
}

// --- The request's body

size_t CurlExchange::on_want_body(MutableByteSpan to) {
  report_sent(handed_over_);  // libcurl asks when it got rid of what it had
  size_t filled = 0;
  while (filled < to.size() && piece_ < request_.body.size()) {
    const ByteSpan rest = request_.body[piece_].subspan(piece_offset_);
    const size_t n = std::min(rest.size(), to.size() - filled);
    if (n > 0) std::memcpy(to.data() + filled, rest.data(), n);
    filled += n;
    piece_offset_ += n;
    if (n == rest.size()) {
      ++piece_;
      piece_offset_ = 0;
    }
  }
  handed_over_ += filled;
  const bool all = handed_over_ == body_size_;
  watch_.sent(all, context_.clock.now());
  if (all) watch_changed();
  return filled;
}

bool CurlExchange::on_rewind(uint64_t offset) {
  if (offset > body_size_) return false;
  handed_over_ = offset;
  piece_ = 0;
  while (piece_ < request_.body.size() && offset >= request_.body[piece_].size()) {
    offset -= request_.body[piece_++].size();
  }
  piece_offset_ = offset;
  return true;
}

void CurlExchange::report_sent(uint64_t n_bytes) {
  if (!request_.on_sent || reported_ == n_bytes) return;
  reported_ = n_bytes;
  request_.on_sent(n_bytes);
}

// --- The answer

bool CurlExchange::fail_with(Fault fault, std::string why) {
  own_error_ = error(fault, std::move(why));
  return false;
}

bool CurlExchange::on_header_line(std::string_view line) {
  watch_.answered(context_.clock.now());
  if (head_bytes_ == 0) {
    report_sent(handed_over_);
    watch_changed();
  }
  head_bytes_ += line.size();
  if (head_bytes_ > kMaxHeadBytes || head_.headers.size() >= kMaxHeaders) {
    return fail_with(Fault::kBadHttp, "the head of the answer is too long");
  }
  if (has_head_) return true;  // a trailer
  if (line.starts_with("HTTP/")) {
    head_ = {};
    return true;
  }
  const std::string_view text = trimmed(line);
  if (text.empty()) return on_head();
  if (line.front() == ' ' || line.front() == '\t') {  // an old way to go on with the line before
    if (!head_.headers.empty()) head_.headers.back().value.append(" ").append(text);
    return true;
  }
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos)
    return fail_with(Fault::kBadHttp, "the head of the answer has a line without colon");
  head_.headers.push_back(
      {std::string(trimmed(text.substr(0, colon))), std::string(trimmed(text.substr(colon + 1)))});
  return true;
}

bool CurlExchange::on_head() {
  long status = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
  head_.status = static_cast<int>(status);
  if (status < 200) return true;  // an interim one
  has_head_ = true;
  if (has_followable_location()) {
    mode_ = BodyMode::kDrop;
  } else if (head_.status > 299) {
    mode_ = BodyMode::kExcerpt;
  } else if (request_.sink) {
    mode_ = BodyMode::kSink;
    if (auto begun = request_.sink->begin(head_); !begun) {
      own_error_ = TransportError{Fault::kRefusedByReceiver, std::move(begun).error(), head_};
      return false;
    }
  } else {
    mode_ = BodyMode::kGather;
    const auto length = request_.method == "HEAD" ? std::nullopt : content_length(head_);
    if (length.value_or(0) > request_.max_body_bytes) {
      return fail_with(Fault::kTooLarge, fmt::format("the answer has {} bytes, more than {}", *length,
                                                     request_.max_body_bytes));
    }
    body_.reserve(static_cast<size_t>(length.value_or(0)));
  }
  return true;
}

CurlExchange::Taken CurlExchange::on_body(ByteSpan bytes) {
  watch_.received(context_.clock.now());
  switch (mode_) {
    case BodyMode::kSink:
      return on_body_for_sink(bytes);
    case BodyMode::kGather:
      return on_body_to_gather(bytes);
    case BodyMode::kExcerpt:
    case BodyMode::kDrop: {
      received_ += bytes.size();
      const size_t room = mode_ == BodyMode::kDrop ? 0 : kExcerptBytes - body_.size();
      append_bytes(body_, bytes.first(std::min(room, bytes.size())));
      return received_ > kMaxUnwantedBytes ? Taken::kEnd : Taken::kAll;
    }
  }
  return Taken::kEnd;
}

CurlExchange::Taken CurlExchange::on_body_to_gather(ByteSpan bytes) {
  received_ += bytes.size();
  if (received_ > request_.max_body_bytes) {
    fail_with(Fault::kTooLarge, fmt::format("the answer has more than {} bytes", request_.max_body_bytes));
    return Taken::kEnd;
  }
  append_bytes(body_, bytes);
  return Taken::kAll;
}

CurlExchange::Taken CurlExchange::on_body_for_sink(ByteSpan bytes) {
  // After a pause libcurl delivers the same bytes again, from the start of the delivery in which it was asked
  // to pause; this one is at least as long as that.
  const size_t skip = std::min(taken_before_pause_, bytes.size());
  size_t taken = skip;
  taken_before_pause_ -= skip;
  while (taken < bytes.size()) {
    const MutableByteSpan room =
        request_.sink->room([inbox = context_.inbox, id = id_] { inbox->resume(id); });
    if (room.empty()) {
      paused_ = true;
      taken_before_pause_ = taken;
      watch_.paused(context_.clock.now());
      return Taken::kPause;
    }
    const size_t n = std::min(room.size(), bytes.size() - taken);
    std::memcpy(room.data(), bytes.data() + taken, n);
    taken += n;
    received_ += n;
    if (auto status = request_.sink->filled(n); !status) {
      own_error_ = TransportError{Fault::kRefusedByReceiver, std::move(status).error(), head_};
      return Taken::kEnd;
    }
  }
  return Taken::kAll;
}

bool CurlExchange::resume() {
  if (!paused_) return false;
  paused_ = false;
  watch_.resumed(context_.clock.now());
  watch_changed();
  // Delivers what it holds before it returns; an error in there ends nothing by itself.
  curl_easy_pause(easy_, CURLPAUSE_CONT);
  return own_error_.has_value();
}

// --- The end of a hop

bool CurlExchange::has_followable_location() const {
  constexpr std::array kFollowed = {301, 302, 303, 307, 308};
  return std::ranges::find(kFollowed, head_.status) != kFollowed.end() &&
         !find_header(head_.headers, "Location").value_or("").empty();
}

bool CurlExchange::is_complete_despite(int code) const {
  if (code == CURLE_OK) return true;
  if (!has_head_) return false;
  // The head says all there is to know of a failure. Of a success we need the whole body; that the request
  // was not taken to its end, because the server knew enough, is no matter.
  if (mode_ == BodyMode::kExcerpt || mode_ == BodyMode::kDrop) return true;
  return content_length(head_) == received_ && !paused_;
}

// A server that will not take a body may answer and close at once. Then the kernel of the server resets the
// connection, and if libcurl happens to send just before it looks whether something came, it fails and
// closes, although the answer is there.
void CurlExchange::on_closing(int fd) {
  if (fd != socket_ || !request_.has_body || has_head_ || own_error_) return;
  std::array<char, kUnreadBytes> buffer;
  const ssize_t n = ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (n > 0) unread_.assign(buffer.data(), static_cast<size_t>(n));
}

bool CurlExchange::adopt_unread_answer() {
  std::string_view rest = unread_;
  while (rest.starts_with("HTTP/1.")) {
    const size_t end = rest.find("\r\n\r\n");
    if (end == std::string_view::npos) return false;
    int status = 0;
    if (rest.size() < 12 || std::from_chars(rest.data() + 9, rest.data() + 12, status).ec != std::errc())
      return false;
    if (status < 200) {
      rest.remove_prefix(end + 4);
      continue;
    }
    // A success is not believed: whoever takes a body does not reset the connection that it comes on.
    if (status < 300) return false;
    std::string_view lines = rest.substr(0, end + 2);
    while (!lines.empty()) {
      const size_t line = lines.find("\r\n") + 2;
      if (!on_header_line(lines.substr(0, line))) return false;
      lines.remove_prefix(line);
    }
    head_.status = status;
    has_head_ = true;
    mode_ = has_followable_location() ? BodyMode::kDrop : BodyMode::kExcerpt;
    const std::string_view body = rest.substr(end + 4);
    if (content_length(head_)) append_bytes(body_, as_byte_span(body.substr(0, kExcerptBytes)));
    return true;
  }
  return false;
}

// libcurl repeats a request itself when a pooled connection turns out dead while it waits for the answer, but
// not when it does so while the body is sent.
bool CurlExchange::died_of_old_age(int code) const {
  if ((code != CURLE_SEND_ERROR && code != CURLE_RECV_ERROR && code != CURLE_GOT_NOTHING) ||
      head_bytes_ > 0) {
    return false;
  }
  long n_new = 1;
  return curl_easy_getinfo(easy_, CURLINFO_NUM_CONNECTS, &n_new) == CURLE_OK && n_new == 0;
}

std::optional<Outcome> CurlExchange::hop_ended(int code) {
  if (code != CURLE_OK && !has_head_ && !own_error_) adopt_unread_answer();
  if (own_error_) return tl::unexpected(*std::move(own_error_));
  if (died_of_old_age(code)) {
    needs_new_connection_ = true;
    watch_.next_hop(context_.clock.now());
    return std::nullopt;
  }
  if (!is_complete_despite(code)) return tl::unexpected(curl_error(code));
  // libcurl takes a connection that ends in the middle of a head for the end of the head.
  if (!has_head_)
    return tl::unexpected(error(Fault::kBroken, "the connection ended in the head of the answer"));
  if (mode_ == BodyMode::kDrop) {
    if (auto wrong = follow()) return tl::unexpected(*std::move(wrong));
    return std::nullopt;
  }
  report_sent(handed_over_);
  return Response{std::move(head_), std::move(body_)};
}

Outcome CurlExchange::abandon(Fault fault) {
  if (own_error_) return tl::unexpected(*std::move(own_error_));
  // Silence in the body of a failure does not hide the failure.
  if (fault == Fault::kStalled && has_head_ && mode_ == BodyMode::kExcerpt) {
    return Response{std::move(head_), std::move(body_)};
  }
  return tl::unexpected(error(fault, ""));
}

std::optional<TransportError> CurlExchange::follow() {
  if (++hops_ > kMaxHops)
    return error(Fault::kRedirects, fmt::format("redirected more than {} times", kMaxHops));
  const std::string location(find_header(head_.headers, "Location").value_or(""));
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> url(curl_url(), &curl_url_cleanup);
  const auto part = [&](CURLUPart which) {
    char* text = nullptr;
    curl_url_get(url.get(), which, &text, CURLU_DEFAULT_PORT);
    std::string out = text == nullptr ? "" : text;
    curl_free(text);
    return out;
  };
  const auto origin = [&] {
    return part(CURLUPART_SCHEME) + "|" + part(CURLUPART_HOST) + "|" + part(CURLUPART_PORT);
  };
  constexpr unsigned kAsGiven = CURLU_PATH_AS_IS | CURLU_NON_SUPPORT_SCHEME;
  if (!url || curl_url_set(url.get(), CURLUPART_URL, request_.url.c_str(), kAsGiven) != CURLUE_OK) {
    return error(Fault::kRedirects, "redirected from a URL that cannot be taken apart");
  }
  const std::string before = origin();
  // A whole URL may be signed as it is; a relative one has to be resolved.
  const bool whole_url = location.find("://") < location.find_first_of("/?#");
  const unsigned flags = CURLU_URLENCODE | (whole_url ? kAsGiven : CURLU_NON_SUPPORT_SCHEME);
  if (curl_url_set(url.get(), CURLUPART_URL, location.c_str(), flags) != CURLUE_OK) {
    return error(Fault::kRedirects, "redirected to something that is no URL");
  }
  const std::string scheme = part(CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") {
    return error(Fault::kRedirects, fmt::format("redirected to the scheme {}", scheme.substr(0, 16)));
  }
  left_first_origin_ = left_first_origin_ || origin() != before;
  curl_url_set(url.get(), CURLUPART_FRAGMENT, nullptr, 0);
  char* whole = nullptr;
  if (curl_url_get(url.get(), CURLUPART_URL, &whole, CURLU_PATH_AS_IS) != CURLUE_OK) {
    return error(Fault::kRedirects, "redirected to something that is no URL");
  }
  request_.url = whole;
  curl_free(whole);

  const int status = head_.status;
  const bool becomes_get = status == 303 ? request_.method != "HEAD"
                                         : request_.method == "POST" && (status == 301 || status == 302);
  if (becomes_get) {
    request_.method = "GET";
    request_.has_body = false;
    request_.body.clear();
    body_size_ = 0;
    std::erase_if(request_.headers, [](const Header& h) { return same_header_name(h.name, "Content-Type"); });
  }
  needs_new_connection_ = false;
  watch_.next_hop(context_.clock.now());
  watch_changed();
  return std::nullopt;
}

bool CurlExchange::is_credential(std::string_view header_name) {
  constexpr std::array<std::string_view, 4> kCredentials = {"Authorization", "Cookie", "Proxy-Authorization",
                                                            "WWW-Authenticate"};
  return std::ranges::any_of(kCredentials, [&](auto name) { return same_header_name(header_name, name); });
}

}  // namespace xet::net
