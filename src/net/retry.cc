#include "net/retry.h"

#include <algorithm>

#include "net/http_date.h"

namespace xet::net {

using std::chrono::milliseconds;

namespace {

bool may_pass(int status) {
  // 501 says "never", 507 that the store is full: neither passes while one waits.
  return status == 408 || status == 429 || (status >= 500 && status <= 599 && status != 501 && status != 507);
}

// What a failure that will not pass means.
Verdict given_up(Route route) {
  if (route == Route::kDedupQuery) return Verdict::kNoMatch;
  // The store behind the grant URL is another host than the CAS, which may still take the xorb itself.
  if (route == Route::kGrantUpload) return Verdict::kFallBack;
  return Verdict::kFatal;
}

bool sends_token(Route route) {
  return route != Route::kGrantUpload && route != Route::kFetch && route != Route::kToken;
}

// Statuses that mean something else on this route than on the others; kRetry stands for "nothing special".
Verdict special(Route route, int status) {
  switch (route) {
    case Route::kReconstructV2:
      if (status == 404 || status == 501) return Verdict::kFallBack;
      return status == 416 ? Verdict::kEndOfFile : Verdict::kRetry;
    case Route::kReconstructV1:
      if (status == 404) return Verdict::kNotFound;
      return status == 416 ? Verdict::kEndOfFile : Verdict::kRetry;
    case Route::kFileSize:
      return status == 404 ? Verdict::kNotFound : Verdict::kRetry;
    case Route::kDedupQuery:
      // Overloaded: the worst moment to ask again for a mere hint.
      return status == 429 ? Verdict::kNoMatch : Verdict::kRetry;
    case Route::kGrant:
      return status == 404 ? Verdict::kFallBack : Verdict::kRetry;
    case Route::kGrantUpload:
      if (status == 412) return Verdict::kSuccess;  // an earlier attempt has stored it
      return status == 400 || status == 403 ? Verdict::kNewGrant : Verdict::kRetry;
    case Route::kCommit:
      return status == 404 ? Verdict::kNewGrant : Verdict::kRetry;
    case Route::kShardV2:
      return status == 404 || status == 501 ? Verdict::kFallBack : Verdict::kRetry;
    case Route::kFetch:
      if (status == 403) return Verdict::kRefreshUrl;
      return status == 404 ? Verdict::kNotFound : Verdict::kRetry;
    case Route::kXorbUpload:
    case Route::kShardV1:
    case Route::kToken:
      return Verdict::kRetry;
  }
  return Verdict::kRetry;
}

// A 3xx comes up only when it cannot be followed. Where the genuine client finds no usable content in it, it
// tries again; so do we.
bool repeats_3xx(Route route) {
  switch (route) {
    case Route::kReconstructV1:
    case Route::kReconstructV2:
    case Route::kXorbUpload:
    case Route::kShardV1:
    case Route::kFetch:
    case Route::kToken:
      return true;
    case Route::kFileSize:
    case Route::kDedupQuery:
    case Route::kGrant:
    case Route::kGrantUpload:
    case Route::kCommit:
    case Route::kShardV2:
      return false;
  }
  return false;
}

}  // namespace

Verdict judge(Route route, int status) {
  if (status >= 200 && status <= 299) {
    const bool known = route != Route::kGrant || status == 200 || status == 201;
    return known ? Verdict::kSuccess : Verdict::kFatal;
  }
  if (const Verdict verdict = special(route, status); verdict != Verdict::kRetry) return verdict;
  if (status == 401 && sends_token(route)) return Verdict::kRefreshToken;
  if (may_pass(status)) return Verdict::kRetry;
  if (status == 409 && route == Route::kGrantUpload) return Verdict::kRetry;
  if (status >= 300 && status <= 399 && repeats_3xx(route)) return Verdict::kRetry;
  return given_up(route);
}

Verdict judge(Route route, Fault fault) {
  switch (fault) {
    case Fault::kCancelled:
    case Fault::kRefusedByReceiver:
      return Verdict::kFatal;
    case Fault::kResolve:
    case Fault::kConnect:
    case Fault::kTls:
    case Fault::kNoAnswer:
    case Fault::kStalled:
    case Fault::kBroken:
      return Verdict::kRetry;
    case Fault::kBadRequest:
    case Fault::kCertificate:
    case Fault::kBadHttp:
    case Fault::kRedirects:
    case Fault::kTooLarge:
      return given_up(route);
  }
  return Verdict::kFatal;
}

Verdict after_retries(Route route, int status) {
  // An earlier attempt is "still being stored" for as long as the whole ladder: it has died there.
  if (route == Route::kGrantUpload && status == 409) return Verdict::kNewGrant;
  return given_up(route);
}

milliseconds RetryLadder::longest_sleep(size_t nth) const {
  const auto factor = std::max<milliseconds::rep>(2, base.count() / 1000);
  milliseconds sleep = std::max(base, milliseconds(1));
  for (size_t i = 1; i < nth && sleep < cap; ++i) {
    sleep = sleep.count() > cap.count() / factor ? cap : sleep * factor;
  }
  return std::min(sleep, cap);
}

milliseconds RetryLadder::sleep(size_t nth, double uniform, std::optional<milliseconds> asked) const {
  const double part = std::clamp(uniform, 0.0, 1.0);
  const milliseconds jittered(
      static_cast<milliseconds::rep>(static_cast<double>(longest_sleep(nth).count()) * part));
  return std::max(jittered, std::min(asked.value_or(milliseconds(0)), kMaxRetryAfter));
}

std::optional<milliseconds> parse_retry_after(std::string_view value,
                                              std::chrono::system_clock::time_point now) {
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (!value.empty() && std::ranges::all_of(value, is_digit)) {
    milliseconds wait(0);
    for (const char c : value) wait = std::min(wait * 10 + milliseconds(1000) * (c - '0'), kMaxRetryAfter);
    return wait;
  }
  const auto date = parse_http_date(value, now);
  if (!date) return std::nullopt;
  // Compared before subtracting: the date may be thousands of years away.
  const auto now_s = std::chrono::floor<std::chrono::seconds>(now);
  if (*date <= now_s) return milliseconds(0);
  if (*date >= now_s + std::chrono::seconds(601)) return kMaxRetryAfter;
  return std::min(std::chrono::ceil<milliseconds>(*date - now), kMaxRetryAfter);
}

std::optional<milliseconds> retry_after(const Headers& headers, std::chrono::system_clock::time_point now) {
  const auto value = find_header(headers, "Retry-After");
  return value ? parse_retry_after(*value, now) : std::nullopt;
}

Patience patience_for(Route route, const PatienceLimits& limits) {
  Patience out{.connect = limits.connect, .first_byte = limits.slow_answer, .stall = limits.stall};
  switch (route) {
    case Route::kReconstructV1:
    case Route::kReconstructV2:
    case Route::kFileSize:
    case Route::kDedupQuery:
    case Route::kFetch:
      out.first_byte = std::min(limits.answer, limits.slow_answer);
      break;
    case Route::kGrant:
    case Route::kGrantUpload:
    case Route::kCommit:
    case Route::kXorbUpload:
    case Route::kToken:
      break;
    case Route::kShardV1:
      out.first_byte = Patience::kForever;
      break;
    case Route::kShardV2:
      out.stall = std::max(limits.stall, limits.frames);
      break;
  }
  return out;
}

}  // namespace xet::net
