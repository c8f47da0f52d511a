#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "net/curl_inbox.h"
#include "net/network_settings.h"
#include "net/progress_watch.h"
#include "net/transport.h"

struct curl_slist;

namespace xet::net {

/// What all exchanges of a network thread have in common. Belongs to the thread.
struct CurlContext {
  const Clock& clock;
  std::shared_ptr<CurlInbox> inbox;
  TrustSettings trust;
  ProxySettings proxies;
  std::string unix_socket_path;
  Headers headers;
  std::chrono::milliseconds idle_connection_timeout{};
  bool keeps_connections = true;
  /// What was wrong with the certificate of a host, from the handshake until the exchange that failed by it
  /// ends.
  std::map<std::string, std::string> certificate_complaints;
  /// Told of each connection before it is closed.
  std::function<void(int fd)> on_closing;
  /// The earliest time at which some exchange has to be looked at. Exchanges put it earlier.
  ProgressWatch::Time next_look = ProgressWatch::Time::max();
};

/// One request on its way, over redirects. All of it runs on the network thread.
class CurlExchange {
 public:
  CurlExchange(uint64_t id, Submission submission, CurlContext& context);
  ~CurlExchange();
  CurlExchange(const CurlExchange&) = delete;
  CurlExchange& operator=(const CurlExchange&) = delete;

  /// Makes the handle for the next hop. An error ends the exchange.
  std::optional<TransportError> prepare();
  /// The CURL*, made by prepare().
  void* handle() const { return easy_; }
  /// libcurl is done with the hop, with this CURLcode. The outcome, or nothing when there is another hop to
  /// prepare. The handle must have been removed.
  std::optional<Outcome> hop_ended(int code);
  /// The exchange ends here for a reason of ours.
  Outcome abandon(Fault fault);

  /// Lets bytes flow again. True when the sink refused them, and the exchange has to be abandoned.
  bool resume();
  /// Looks after time limits: the fault, if one has passed.
  std::optional<Fault> look(ProgressWatch::Time now);
  /// When look() has to be called next.
  ProgressWatch::Time next_look() const;

  uint64_t id() const { return id_; }
  void deliver(Outcome outcome);

  // What libcurl tells, through the functions of curl_setup.cc.

  void on_trying(int fd, std::string address);
  /// Whether this socket was opened for a connection that has not come about.
  bool tried_socket(int fd) const { return std::ranges::find(tried_sockets_, fd) != tried_sockets_.end(); }
  /// Waits for this one now. The last one before the request goes out is that of its connection.
  void on_socket(int fd) { socket_ = fd; }
  void on_connected(std::string peer);
  /// False ends the exchange.
  bool on_header_line(std::string_view line);
  /// The connection is about to be closed; takes out what has come and libcurl did not read.
  void on_closing(int fd);
  enum class Taken : uint8_t { kAll, kPause, kEnd };
  Taken on_body(ByteSpan bytes);
  /// Fills some of it; 0 at the end.
  size_t on_want_body(MutableByteSpan to);
  bool on_rewind(uint64_t offset);

 private:
  enum class BodyMode : uint8_t { kSink, kGather, kExcerpt, kDrop };
  struct StopHook {
    std::shared_ptr<CurlInbox> inbox;
    uint64_t id;
    void operator()() const { inbox->cancel(id); }
  };
  void configure();
  void configure_trust();
  void configure_proxy();
  void configure_body();
  std::optional<TransportError> build_headers();
  void drop_handle();

  bool on_head();
  Taken on_body_for_sink(ByteSpan bytes);
  Taken on_body_to_gather(ByteSpan bytes);

  bool has_followable_location() const;
  std::optional<TransportError> follow();
  static bool is_credential(std::string_view header_name);
  bool is_complete_despite(int code) const;
  bool adopt_unread_answer();
  bool died_of_old_age(int code) const;
  void report_sent(uint64_t n_bytes);
  void watch_changed();
  bool fail_with(Fault fault, std::string why);

  std::string subject() const;
  std::string elapsed() const;
  TransportError error(Fault fault, std::string why) const;
  TransportError curl_error(int code) const;
  std::string certificate_error(int code) const;

  const uint64_t id_;
  CurlContext& context_;
  Request request_;
  UniqueFunction<void(Outcome)> done_;
  ProgressWatch watch_;
  const ProgressWatch::Time started_;
  uint64_t body_size_ = 0;

  void* easy_ = nullptr;
  curl_slist* headers_ = nullptr;
  std::unique_ptr<char[]> error_text_;  // CURL_ERROR_SIZE, written by libcurl
  size_t hops_ = 0;
  bool left_first_origin_ = false;  // no credentials any more
  std::string peer_;                // address of the connection, once there is one
  std::string tried_;               // last address that a connection was tried to
  std::vector<int> tried_sockets_;
  bool connected_ = false;
  int socket_ = -1;
  bool needs_new_connection_ = false;

  // The request's body.
  uint64_t handed_over_ = 0;
  uint64_t reported_ = UINT64_MAX;
  size_t piece_ = 0;
  size_t piece_offset_ = 0;

  // The answer.
  ResponseHead head_;
  size_t head_bytes_ = 0;
  bool has_head_ = false;  // a final one
  BodyMode mode_ = BodyMode::kExcerpt;
  ByteVector body_;
  uint64_t received_ = 0;
  std::string unread_;  // by libcurl, of a connection that broke while the request was sent
  bool paused_ = false;
  size_t taken_before_pause_ = 0;  // of the bytes that libcurl will deliver again
  std::optional<TransportError> own_error_;

  // Last: destroyed first, while everything it may touch is there.
  std::optional<std::stop_callback<StopHook>> on_stop_;
};

}  // namespace xet::net
