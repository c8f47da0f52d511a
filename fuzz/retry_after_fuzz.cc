#include <cstdint>
#include <cstdlib>

#include "net/http_date.h"
#include "net/retry.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto now = std::chrono::system_clock::time_point(std::chrono::seconds(1'700'000'000));
  const auto wait = xet::net::parse_retry_after(text, now);
  if (wait && (wait->count() < 0 || *wait > xet::net::kMaxRetryAfter)) std::abort();
  xet::net::parse_http_date(text, now);
  return 0;
}
