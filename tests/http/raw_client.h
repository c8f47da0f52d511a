#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"

namespace xet::testing {

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

/// An answer as it came.
struct HttpAnswer {
  int status = 0;
  HttpHeaders headers;
  std::string body;
  bool was_chunked = false;

  /// Empty when there is none of that name (compared without case).
  std::string header(std::string_view name) const;
};

/// A blocking HTTP client that sends exactly the bytes it is told to, right or wrong. Throws when the
/// connection breaks, or when nothing comes for half a minute. Not thread-safe.
class RawClient {
 public:
  explicit RawClient(uint16_t port);
  ~RawClient();
  RawClient(RawClient&& other) noexcept
      : port_(other.port_), socket_(std::exchange(other.socket_, -1)), is_told_to_go_(other.is_told_to_go_) {}
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  void send(std::string_view bytes);
  void send(ByteSpan bytes) { send(as_chars(bytes)); }
  /// Says that nothing more comes.
  void finish();
  /// RST instead of FIN.
  void reset();

  /// The next answer; that to HEAD has no body whatever it says.
  HttpAnswer read_answer(bool to_head = false);
  /// Header only: the body stays to be read by read_bytes().
  HttpAnswer read_head();
  std::string read_bytes(size_t n);
  /// Reads one line of a chunked body.
  std::string read_chunk();
  /// Whether the peer closes without sending more.
  bool is_closed_by_peer();

  /// Sends a request with Host and Content-Length, and reads its answer. On a new connection, if the last
  /// answer said that this one ends: how much of a refused body is read before the answer is a matter of
  /// chance.
  HttpAnswer request(std::string_view method, std::string_view target, const HttpHeaders& headers = {},
                     std::string_view body = {});
  static std::string head(std::string_view method, std::string_view target, const HttpHeaders& headers);

 private:
  void connect();
  bool fill();

  uint16_t port_;
  int socket_ = -1;
  bool is_told_to_go_ = false;
  std::string input_;
};

}  // namespace xet::testing
