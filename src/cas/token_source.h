#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "base/clock.h"
#include "base/sync.h"
#include "cas/http_cas.h"
#include "cas/shared_flight.h"

namespace xet::cas {

/// The token of a CAS. Asks for another one 30 s before it ends, once for all who need one meanwhile. A
/// failure is told to those who waited for that attempt; the next call tries again. Nothing here prints a
/// token. Thread-safe.
class TokenSource {
 public:
  static constexpr std::chrono::seconds kMargin{30};
  /// Asks for a token; empty when there is no way to get one.
  using Refresh = std::function<void(std::stop_token, Callback<AccessToken>)>;

  TokenSource(std::optional<AccessToken> first, Refresh refresh, const Clock& clock);

  /// False: calls go without `Authorization`.
  bool is_used() const { return is_used_; }

  /// Gives a token, before it returns when there is a good one. A token that cannot be replaced is given
  /// beyond its end too: the server's clock decides.
  void get(std::stop_token stop, Callback<std::string> done);

  /// The server answered 401 to this token. True when asking again may give another one.
  bool refused(const std::string& token);

 private:
  struct State {
    std::optional<AccessToken> token;
    bool must_refresh = false;
  };
  enum class Age : uint8_t { kFresh, kEnding, kOver };
  Age age_of(const State& state) const;

  const bool is_used_;
  const Refresh refresh_;
  const Clock& clock_;
  std::shared_ptr<Sync<State>> state_;  // shared with refreshes under way
  SharedFlight<AccessToken> flight_;
};

/// The answer of a refresh URL.
struct TokenAnswer {
  std::string cas_url;
  AccessToken token;
};
constexpr size_t kMaxTokenAnswerBytes = size_t{256} << 10;
/// kCorruption without any of the text in the message.
Result<TokenAnswer> parse_token_answer(ByteSpan json);

/// A token that could not stand in a header would split it.
Status check_token_text(const std::string& text);

}  // namespace xet::cas
