#include "http/raw_client.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <stdexcept>
#include <system_error>

namespace xet::testing {

namespace {

constexpr timeval kPatience{.tv_sec = 30, .tv_usec = 0};

bool same_name(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) == std::tolower(static_cast<unsigned char>(y));
  });
}

[[noreturn]] void failed(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

std::string HttpAnswer::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (same_name(key, name)) return value;
  }
  return {};
}

RawClient::RawClient(uint16_t port) : port_(port) {
  connect();
}

void RawClient::connect() {
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket_ < 0) failed("socket");
  setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
  // A head and its body leave at once, instead of the body waiting 40 ms for the head's acknowledgement.
  const int no_delay = 1;
  setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &no_delay, sizeof no_delay);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port_);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    ::close(std::exchange(socket_, -1));
    failed("connect");
  }
}

RawClient::~RawClient() {
  if (socket_ >= 0) ::close(socket_);
}

void RawClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0) failed("send");
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

void RawClient::finish() {
  ::shutdown(socket_, SHUT_WR);
}

void RawClient::reset() {
  const linger now{.l_onoff = 1, .l_linger = 0};
  setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  ::close(std::exchange(socket_, -1));
}

bool RawClient::fill() {
  std::array<char, 64 * 1024> buffer;
  const ssize_t n = ::recv(socket_, buffer.data(), buffer.size(), 0);
  if (n < 0) failed("recv");
  input_.append(buffer.data(), static_cast<size_t>(n));
  return n > 0;
}

std::string RawClient::read_bytes(size_t n) {
  while (input_.size() < n) {
    if (!fill()) throw std::runtime_error(fmt::format("closed after {} of {} bytes", input_.size(), n));
  }
  std::string out = input_.substr(0, n);
  input_.erase(0, n);
  return out;
}

bool RawClient::is_closed_by_peer() {
  try {
    return input_.empty() && !fill();
  } catch (const std::system_error& error) {
    return error.code() == std::errc::connection_reset;
  }
}

HttpAnswer RawClient::read_head() {
  size_t end = 0;
  while ((end = input_.find("\r\n\r\n")) == std::string::npos) {
    if (!fill()) throw std::runtime_error("closed before an answer: " + input_);
  }
  std::string_view head = std::string_view(input_).substr(0, end + 2);
  HttpAnswer out;
  if (!head.starts_with("HTTP/1.1 ")) throw std::runtime_error("no answer: " + input_.substr(0, 100));
  out.status = std::stoi(std::string(head.substr(9, 3)));
  head.remove_prefix(head.find("\r\n") + 2);
  while (!head.empty()) {
    const size_t line_end = head.find("\r\n");
    const auto line = head.substr(0, line_end);
    const size_t colon = line.find(": ");
    if (colon == std::string_view::npos) throw std::runtime_error("no header field: " + std::string(line));
    out.headers.emplace_back(line.substr(0, colon), line.substr(colon + 2));
    head.remove_prefix(line_end + 2);
  }
  input_.erase(0, end + 4);
  is_told_to_go_ = same_name(out.header("Connection"), "close");
  return out;
}

std::string RawClient::read_chunk() {
  size_t end = 0;
  while ((end = input_.find("\r\n")) == std::string::npos) {
    if (!fill()) throw std::runtime_error("closed inside a chunked body");
  }
  size_t size = 0;
  std::from_chars(input_.data(), input_.data() + end, size, 16);
  input_.erase(0, end + 2);
  std::string out = read_bytes(size);
  if (read_bytes(2) != "\r\n") throw std::runtime_error("a chunk without its end");
  return out;
}

HttpAnswer RawClient::read_answer(bool to_head) {
  HttpAnswer out = read_head();
  if (out.status == 100) return out;
  if (to_head || out.status == 304) return out;
  if (same_name(out.header("Transfer-Encoding"), "chunked")) {
    out.was_chunked = true;
    for (std::string chunk = read_chunk(); !chunk.empty(); chunk = read_chunk()) out.body += chunk;
    return out;
  }
  const std::string length = out.header("Content-Length");
  if (!length.empty()) {
    out.body = read_bytes(std::stoul(length));
    return out;
  }
  while (fill()) {
  }
  out.body = std::exchange(input_, {});
  return out;
}

std::string RawClient::head(std::string_view method, std::string_view target, const HttpHeaders& headers) {
  std::string out = fmt::format("{} {} HTTP/1.1\r\n", method, target);
  for (const auto& [name, value] : headers) out += fmt::format("{}: {}\r\n", name, value);
  return out + "\r\n";
}

HttpAnswer RawClient::request(std::string_view method, std::string_view target, const HttpHeaders& headers,
                              std::string_view body) {
  if (is_told_to_go_) {
    ::close(std::exchange(socket_, -1));
    input_.clear();
    is_told_to_go_ = false;
    connect();
  }
  HttpHeaders all = {{"Host", "server.test"}};
  if (!body.empty() || method == "POST" || method == "PUT") {
    all.emplace_back("Content-Length", std::to_string(body.size()));
  }
  all.insert(all.end(), headers.begin(), headers.end());
  send(head(method, target, all));
  send(body);
  return read_answer(method == "HEAD");
}

}  // namespace xet::testing
