#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "xet/result.h"

namespace xet::http {

inline constexpr std::string_view kJson = "application/json";
inline constexpr std::string_view kText = "text/plain; charset=utf-8";
inline constexpr std::string_view kBytes = "application/octet-stream";

/// What a request is answered with, when it is known as a whole. Plain value.
struct Answer {
  int status = 200;
  std::string_view content_type;  ///< a literal; empty: there is nothing to describe
  std::variant<std::string, ByteVector> body;
  /// Beyond those that every answer has. Names are literals.
  std::vector<std::pair<std::string_view, std::string>> headers;
  std::optional<uint64_t> content_length;  ///< to tell instead of the body's, in answer to HEAD

  ByteSpan body_bytes() const;
};

/// An answer of one line of text.
Answer text_answer(int status, std::string_view line);
Answer json_answer(std::string body);

/// Whom an error points at: the bytes that were sent, or those that are stored.
enum class Blame : uint8_t { kRequest, kStore };

/// The status that an error is told as. One place, so that clients see the same thing on every route:
/// kUnauthorized is 401 here; a scope that does not suffice is no error of these.
int status_of(ErrorCode code, Blame blame);
/// The text of a failed store is for the server's log, not for clients: they get a general one.
Answer error_answer(const Error& error, Blame blame, std::chrono::seconds retry_after);
Answer busy_answer(std::string_view line, std::chrono::seconds retry_after);

std::string_view reason_phrase(int status);

/// What is said in the head of every answer.
struct HeadFacts {
  std::string_view request_id;
  std::string date;  ///< see http_date
  bool keep_alive = true;
};
/// Status line and fields that are common to all answers; more fields and an empty line have to follow.
std::string begin_head(int status, const HeadFacts& facts);
void append_field(std::string& head, std::string_view name, std::string_view value);

/// "Wed, 25 Nov 2026 16:24:10 GMT".
std::string http_date(std::chrono::system_clock::time_point time);
/// "2026-11-25T16:24:10.123Z".
std::string log_time(std::chrono::system_clock::time_point time);

}  // namespace xet::http
