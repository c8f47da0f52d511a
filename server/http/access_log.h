#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace xet::http {

/// What is written down about an answered request. Never a target, a query or a token: they hold secrets.
struct AccessRecord {
  std::chrono::system_clock::time_point time;  ///< when its header was complete
  std::string_view request_id;
  std::string_view session_id;  ///< as the client sent it
  std::string_view method;
  std::string_view route;  ///< template; empty: none
  int status = 0;          ///< 499: the client went away before an answer
  uint64_t bytes_in = 0;   ///< of the body
  uint64_t bytes_out = 0;  ///< of the body
  std::chrono::microseconds took{0};
  std::string_view principal;  ///< empty: nobody
};

/// One line of JSON, without line feed.
std::string access_line(const AccessRecord& record);

}  // namespace xet::http
