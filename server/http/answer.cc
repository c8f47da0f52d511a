#include "server/http/answer.h"

#include <fmt/format.h>

#include <array>
#include <ctime>

#include "base/clock.h"

namespace xet::http {

namespace {

std::tm utc(std::chrono::system_clock::time_point time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm out{};
  gmtime_r(&seconds, &out);
  return out;
}

/// Error texts are one line, whatever they quote.
std::string one_line(std::string_view text) {
  constexpr size_t kMaxLine = 2000;
  std::string out(text.substr(0, kMaxLine));
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  out.push_back('\n');
  return out;
}

}  // namespace

ByteSpan Answer::body_bytes() const {
  if (const auto* text = std::get_if<std::string>(&body)) return as_byte_span(*text);
  return std::get<ByteVector>(body);
}

Answer text_answer(int status, std::string_view line) {
  Answer out;
  out.status = status;
  out.content_type = kText;
  out.body = one_line(line);
  return out;
}

Answer json_answer(std::string body) {
  Answer out;
  out.content_type = kJson;
  out.body = std::move(body);
  return out;
}

int status_of(ErrorCode code, Blame blame) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return 400;
    case ErrorCode::kNotFound:
      return 404;
    case ErrorCode::kCorruption:
      return blame == Blame::kRequest ? 400 : 500;
    case ErrorCode::kUnauthorized:
      return 401;
    case ErrorCode::kUnavailable:
    case ErrorCode::kCancelled:
    case ErrorCode::kDeadline:
      return 503;
    case ErrorCode::kNoSpace:
      return 507;
    case ErrorCode::kRefused:
      return 413;
    case ErrorCode::kIo:
    case ErrorCode::kAlreadyDone:
    case ErrorCode::kInternal:
      return 500;
  }
  return 500;
}

Answer error_answer(const Error& error, Blame blame, std::chrono::seconds retry_after) {
  const int status = status_of(error.code, blame);
  if (status == 500)
    return text_answer(500, "the store failed; its log says how, under the X-Request-Id of this answer");
  if (status == 507) return text_answer(507, "the store has no space left");
  if (status == 503) return busy_answer("the store cannot do that now; try again", retry_after);
  return text_answer(status, error.message);
}

Answer busy_answer(std::string_view line, std::chrono::seconds retry_after) {
  Answer out = text_answer(503, line);
  out.headers.emplace_back("Retry-After", fmt::format("{}", retry_after.count()));
  return out;
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 206:
      return "Partial Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Content";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    case 507:
      return "Insufficient Storage";
    default:
      return "Status";
  }
}

std::string begin_head(int status, const HeadFacts& facts) {
  std::string out;
  out.reserve(512);
  // Answers to 1.0 say 1.1 too, as RFC 9110 has it; what matters is that nothing in them needs it.
  fmt::format_to(std::back_inserter(out), "HTTP/1.1 {} {}\r\n", status, reason_phrase(status));
  append_field(out, "Date", facts.date);
  append_field(out, "X-Request-Id", facts.request_id);
  if (!facts.keep_alive) append_field(out, "Connection", "close");
  return out;
}

void append_field(std::string& head, std::string_view name, std::string_view value) {
  head.append(name).append(": ").append(value).append("\r\n");
}

std::string http_date(std::chrono::system_clock::time_point time) {
  static constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::tm t = utc(time);
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT", kDays[static_cast<size_t>(t.tm_wday)],
                     t.tm_mday, kMonths[static_cast<size_t>(t.tm_mon)], t.tm_year + 1900, t.tm_hour, t.tm_min,
                     t.tm_sec);
}

std::string log_time(std::chrono::system_clock::time_point time) {
  const std::tm t = utc(time);
  const auto millis = unix_milliseconds(time) % 1000;
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday,
                     t.tm_hour, t.tm_min, t.tm_sec, millis);
}

}  // namespace xet::http
