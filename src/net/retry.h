#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "net/transport.h"

namespace xet::net {

/// The calls of the protocol, as far as they differ in what a status means and how long one waits.
enum class Route : uint8_t {
  kReconstructV1,
  kReconstructV2,
  kFileSize,     ///< HEAD of a file or of a xorb
  kDedupQuery,   ///< a hint: never fails a transfer
  kGrant,        ///< request of an upload grant
  kGrantUpload,  ///< the bytes, to the URL of the grant: no token
  kCommit,       ///< of a grant
  kXorbUpload,   ///< POST of the whole xorb
  kShardV1,
  kShardV2,  ///< answered by a stream of frames
  kFetch,    ///< signed URL: no token
  kToken,
};

enum class Verdict : uint8_t {
  kSuccess,       ///< a 2xx, or a status that means the same on this route
  kRetry,         ///< sleep and send it again; when retries are used up, see after_retries()
  kFatal,         ///< repeating does not help
  kRefreshToken,  ///< 401: with a new token once, at once; a second 401 is fatal
  kRefreshUrl,    ///< 403 of a signed URL: get a new one, then as kRetry
  kFallBack,      ///< use the older way: v2 -> v1, grants -> one POST
  kNewGrant,      ///< ask for another grant
  kEndOfFile,     ///< 416: nothing at or after this offset
  kNotFound,      ///< the file, or the xorb, is not there
  kNoMatch,       ///< the store does not know the chunk, or does not tell: go on without
};

/// What a complete answer with this status means. A 2xx whose content cannot be used is for the caller to
/// judge.
Verdict judge(Route route, int status);

/// What an exchange without a complete answer means.
Verdict judge(Route route, Fault fault);

/// What becomes of kRetry and kRefreshUrl when the last retry has failed. `status` is that of the last
/// answer, 0 when there was none.
Verdict after_retries(Route route, int status);

/// Back-off: `base`, then longer and longer, up to `cap`. Pure; the caller sleeps.
struct RetryLadder {
  size_t max_retries = 5;  ///< so one attempt more than this
  std::chrono::milliseconds base{3'000};
  std::chrono::milliseconds cap{360'000};  ///< of one sleep

  /// The longest sleep before retry `nth`, from 1: base times (base in whole seconds) to the power of
  /// nth - 1, as the genuine client; bases under 2 s grow by 2.
  std::chrono::milliseconds longest_sleep(size_t nth) const;
  /// The sleep before retry `nth`: anything up to longest_sleep() (`uniform` in [0, 1) picks, so that clients
  /// that failed together do not come back together), but no less than the server asked for.
  std::chrono::milliseconds sleep(size_t nth, double uniform,
                                  std::optional<std::chrono::milliseconds> retry_after) const;
};

/// No server makes us wait longer than this by Retry-After.
inline constexpr std::chrono::milliseconds kMaxRetryAfter{600'000};

/// Parses Retry-After: whole seconds, or an HTTP date in one of its three forms, which is compared with
/// `now`. At most kMaxRetryAfter, zero for a date gone by; nullopt for anything else.
std::optional<std::chrono::milliseconds> parse_retry_after(std::string_view value,
                                                           std::chrono::system_clock::time_point now);
/// The same of an answer's headers; nullopt when there is no such header.
std::optional<std::chrono::milliseconds> retry_after(const Headers& headers,
                                                     std::chrono::system_clock::time_point now);

/// The settings that patience is made of.
struct PatienceLimits {
  std::chrono::milliseconds connect{60'000};
  std::chrono::milliseconds stall{30'000};         ///< while bytes are due, without any in either direction
  std::chrono::milliseconds answer{30'000};        ///< from the complete request to the answer, GET and HEAD
  std::chrono::milliseconds slow_answer{300'000};  ///< the same of xorbs, grants, commits, tokens, v2 shards
  std::chrono::milliseconds frames{60'000};        ///< between frames of the answer to a v2 shard
};

/// How long to wait on this route. A v1 shard is answered when it is stored, minutes of silence later, so
/// only TCP's own keep-alive ends that wait.
Patience patience_for(Route route, const PatienceLimits& limits = {});

}  // namespace xet::net
