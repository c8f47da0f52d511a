#include "server/http/access_log.h"

#include <fmt/format.h>

#include "server/http/answer.h"
#include "server/http/json_out.h"

namespace xet::http {

namespace {
constexpr size_t kMaxSessionId = 64;
constexpr size_t kMaxMethod = 16;
}  // namespace

std::string access_line(const AccessRecord& record) {
  return fmt::format(
      R"({{"time":"{}","id":{},"session":{},"method":{},"route":{},"status":{},"in":{},"out":{},"ms":{:.3f},"principal":{}}})",
      log_time(record.time), quoted(record.request_id), quoted(record.session_id.substr(0, kMaxSessionId)),
      quoted(record.method.substr(0, kMaxMethod)), quoted(record.route), record.status, record.bytes_in,
      record.bytes_out, static_cast<double>(record.took.count()) / 1000, quoted(record.principal));
}

}  // namespace xet::http
