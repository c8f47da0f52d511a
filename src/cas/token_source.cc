#include "cas/token_source.h"

#include <algorithm>
#include <utility>

#include "cas/json_members.h"

namespace xet::cas {

TokenSource::TokenSource(std::optional<AccessToken> first, Refresh refresh, const Clock& clock)
    : is_used_(first.has_value() || refresh),
      refresh_(std::move(refresh)),
      clock_(clock),
      state_(std::make_shared<Sync<State>>(State{.token = std::move(first), .must_refresh = false})) {}

TokenSource::Age TokenSource::age_of(const State& state) const {
  if (!state.token || state.must_refresh) return Age::kOver;
  const uint64_t now = unix_seconds(clock_.wall_now());
  if (now == 0) return Age::kOver;  // no clock that says so can be believed
  const uint64_t end = state.token->expires_at_s;
  if (end <= now) return Age::kOver;
  return end - now <= static_cast<uint64_t>(kMargin.count()) ? Age::kEnding : Age::kFresh;
}

void TokenSource::get(std::stop_token stop, Callback<std::string> done) {
  std::optional<std::string> good;
  std::optional<std::string> fallback;  // good enough if no better one is to be had
  {
    auto state = state_->lock();
    const Age age = age_of(*state);
    if (age == Age::kFresh || (!refresh_ && state->token)) {
      good = state->token->text;
    } else if (age == Age::kEnding) {
      fallback = state->token->text;
    }
  }
  if (good) return done(std::move(*good));
  flight_.join(
      std::move(stop),
      [done = std::move(done), fallback = std::move(fallback)](Result<AccessToken> token) mutable {
        if (token) return done(std::move(token->text));
        if (fallback && token.error().code != ErrorCode::kCancelled) return done(std::move(*fallback));
        done(fail(token.error(), "no access token"));
      },
      [this](std::stop_token flight_stop, Callback<AccessToken> landed) {
        // Another flight may have landed since we looked.
        std::optional<AccessToken> newer;
        if (auto state = state_->lock(); age_of(*state) == Age::kFresh) newer = state->token;
        if (newer) return landed(std::move(*newer));
        refresh_(std::move(flight_stop),
                 [state = state_, landed = std::move(landed)](Result<AccessToken> token) mutable {
                   if (token) {
                     if (auto valid = check_token_text(token->text); !valid) {
                       token = tl::unexpected(std::move(valid).error());
                     } else {
                       *state->lock() = {.token = *token, .must_refresh = false};
                     }
                   }
                   landed(std::move(token));
                 });
      });
}

bool TokenSource::refused(const std::string& token) {
  if (!refresh_) return false;
  auto state = state_->lock();
  if (state->token && state->token->text == token) state->must_refresh = true;
  return true;
}

Status check_token_text(const std::string& text) {
  const bool is_sound = std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (is_sound && !text.empty()) return {};
  return fail(ErrorCode::kUnauthorized,
              "the access token is empty or has characters that no header may hold");
}

Result<TokenAnswer> parse_token_answer(ByteSpan json) {
  XET_TRY(const auto members, JsonMembers::parse(json, "the answer for an access token"));
  TokenAnswer out;
  XET_TRY(out.cas_url, members.text("casUrl"));
  XET_TRY(out.token.expires_at_s, members.number("exp"));
  XET_TRY(out.token.text, members.text("accessToken"));
  return out;
}

}  // namespace xet::cas
