#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "cas/context.h"
#include "net/permits.h"
#include "net/retry.h"
#include "net/transport.h"

namespace xet::cas {

/// What a call makes of one exchange.
struct Judgement {
  net::Verdict verdict = net::Verdict::kSuccess;
  Error error;  ///< why, when it is no success
};

/// How a call ended: never kRetry, kRefreshToken or kRefreshUrl.
using CallEnd = Judgement;

/// One call of the protocol, whatever number of exchanges it takes.
struct CallPlan {
  net::Route route = net::Route::kReconstructV2;
  std::string label;       ///< method and route for messages: "GET /v1/chunks/{prefix}/{chunk}"
  bool authorized = true;  ///< goes to the CAS, with a token if there is one
  bool has_standing_headers = true;
  /// The request of the next attempt. Headers that all requests have, and patience, are added.
  UniqueFunction<net::Request()> request;
  /// Looks at an exchange before the rules of the route do; nothing leaves it to them. Takes what it needs
  /// out of the answer.
  UniqueFunction<std::optional<Judgement>(net::Outcome&)> judge;
  bool judges_on_pool = false;  ///< judge() may take long
  /// Replaces the URL that was refused with 403.
  std::function<void(std::stop_token, Callback<void>)> refresh_url;
  /// Bytes that the last attempt brought before it failed. After any the call has all its retries again;
  /// after many it goes on at once, since a connection that carried them was cut for no lack of strength.
  UniqueFunction<uint64_t()> progress_bytes;
  std::optional<size_t> max_retries;      ///< fewer than the options say
  std::function<void(uint64_t)> on_sent;  ///< bytes of this attempt's body that have left
  net::Permit* permit = nullptr;          ///< told of the attempts; must live until the callback
};

/// Token, exchange, verdict, sleep, again. No thread waits meanwhile; a fired stop token ends it at once.
/// Owns itself until `done` was called, on any thread, without a lock held. The permit and whatever the plan
/// refers to is not used after that.
class Call : public std::enable_shared_from_this<Call> {
 public:
  static void start(HttpContext& context, CallPlan plan, std::stop_token stop,
                    UniqueFunction<void(CallEnd)> done);

  Call(HttpContext& context, CallPlan plan, std::stop_token stop, UniqueFunction<void(CallEnd)> done)
      : context_(context), plan_(std::move(plan)), stop_(std::move(stop)), done_(std::move(done)) {}

 private:
  /// A wait that a stop may end: whoever takes the call out of kWaiting goes on with it.
  enum class Phase : uint8_t { kBusy, kWaiting, kOver };

  /// False when the call was stopped, and is over.
  bool begin_wait();
  /// False when a stop was first.
  bool end_wait();
  void stopped();

  void attempt();
  void send(const std::string& token);
  void received(net::Outcome outcome);
  void act(Judgement judgement, const std::optional<std::chrono::milliseconds>& retry_after, int status);
  void retry(Error error, const std::optional<std::chrono::milliseconds>& retry_after, int status);
  void refresh_url(Error error, const std::optional<std::chrono::milliseconds>& retry_after, int status);
  void finish(CallEnd end);
  Judgement by_the_rules(const net::Outcome& outcome) const;
  std::string where() const;

  HttpContext& context_;
  CallPlan plan_;
  const std::stop_token stop_;
  UniqueFunction<void(CallEnd)> done_;
  Sync<Phase> phase_{Phase::kBusy};

  std::string host_;
  std::string token_;  // of the last attempt
  size_t n_retries_ = 0;
  uint64_t sent_bytes_ = 0;  // of this attempt's body
  bool token_was_refreshed_ = false;

  struct OnStop {
    std::weak_ptr<Call> call;  // weak: the token may outlive the call by far
    void operator()() const {
      if (const auto self = call.lock()) self->stopped();
    }
  };
  std::optional<std::stop_callback<OnStop>> on_stop_;
};

/// The error that an answer with such a status means: its code, and status and text of the server.
Error status_error(const net::Response& response, std::string_view secret);

}  // namespace xet::cas
