#include "server/http/route.h"

#include <algorithm>

#include "server/http/handlers.h"
#include "server/http/streamers.h"
#include "server/http/target.h"

namespace xet::http {

namespace {

constexpr size_t kMaxName = 4096;

// What is not set is none of it.
constexpr Route kRoutes[] = {
    {.method = "GET",
     .path = "/v2/reconstructions/{file}",
     .access = Access::kRead,
     .runs_on = RunsOn::kWork,
     .handler = reconstruct_v2},
    {.method = "GET",
     .path = "/v1/reconstructions/{file}",
     .access = Access::kRead,
     .runs_on = RunsOn::kWork,
     .handler = reconstruct_v1},
    {.method = "GET",
     .path = "/v1/reconstructions",
     .access = Access::kRead,
     .runs_on = RunsOn::kWork,
     .handler = reconstruct_batch_of_query},
    {.method = "POST",
     .path = "/v1/reconstructions",
     .access = Access::kRead,
     .runs_on = RunsOn::kWork,
     .max_body = &ServerLimits::json_body_bytes,
     .handler = reconstruct_batch_of_body},
    {.method = "GET",
     .path = "/reconstructions",
     .access = Access::kRead,
     .runs_on = RunsOn::kWork,
     .handler = reconstruct_batch_of_query},
    {.method = "POST",
     .path = "/reconstructions",
     .access = Access::kRead,
     .runs_on = RunsOn::kWork,
     .max_body = &ServerLimits::json_body_bytes,
     .handler = reconstruct_batch_of_body},
    {.method = "GET",
     .path = "/v1/chunks/{prefix}/{hash}",
     .access = Access::kRead,
     .runs_on = RunsOn::kWork,
     .handler = query_dedup},
    {.method = "POST",
     .path = "/v1/xorbs/{prefix}/{hash}",
     .access = Access::kWrite,
     .max_body = &ServerLimits::xorb_body_bytes,
     .takes_slot = true,
     .streamer = take_xorb},
    {.method = "HEAD",
     .path = "/v1/xorbs/{prefix}/{hash}",
     .access = Access::kWrite,
     .runs_on = RunsOn::kWork,
     .handler = look_for_xorb},
    {.method = "POST",
     .path = "/v1/xorb-grants/{prefix}/{hash}",
     .access = Access::kWrite,
     .runs_on = RunsOn::kWork,
     .max_body = &ServerLimits::json_body_bytes,
     .handler = grant_upload},
    {.method = "PUT",
     .path = "/v1/xorb-uploads/{name}",
     .access = Access::kSigned,
     .max_body = &ServerLimits::xorb_body_bytes,
     .takes_slot = true,
     .streamer = take_granted_xorb},
    {.method = "POST",
     .path = "/v1/xorb-commits/{prefix}/{hash}/grant/{name}",
     .access = Access::kWrite,
     .runs_on = RunsOn::kWork,
     .handler = commit_upload},
    {.method = "POST",
     .path = "/v1/shards",
     .access = Access::kWrite,
     .runs_on = RunsOn::kSync,
     .max_body = &ServerLimits::shard_body_bytes,
     .takes_slot = true,
     .handler = take_shard},
    {.method = "POST",
     .path = "/v2/shards",
     .access = Access::kWrite,
     .max_body = &ServerLimits::shard_body_bytes,
     .takes_slot = true,
     .streamer = take_shard_with_progress},
    {.method = "HEAD",
     .path = "/v1/files/{file}",
     .access = Access::kRead,
     .runs_on = RunsOn::kWork,
     .handler = look_for_file},
    {.method = "POST",
     .path = "/v1/telemetry",
     .access = Access::kRead,
     .max_body = &ServerLimits::json_body_bytes,
     .handler = drop_telemetry},
    {.method = "GET", .path = "/d/{name}", .access = Access::kSigned, .streamer = send_data},
    {.method = "GET", .path = "/healthz", .access = Access::kOpen, .handler = tell_alive},
    {.method = "GET", .path = "/readyz", .access = Access::kOpen, .handler = tell_ready},
    {.method = "GET",
     .path = "/metrics",
     .access = Access::kAdmin,
     .runs_on = RunsOn::kWork,
     .handler = tell_metrics},
};

// A client that asks for a grant takes every other refusal for the end of the upload, so whatever reaches
// these paths in a wrong way is just not there.
bool tells_wrong_method(std::string_view path) {
  return !path.starts_with("/v1/xorb-grants/");
}

enum class Fit : uint8_t { kNo, kBadValue, kYes };

Fit fit_segment(std::string_view wanted, const std::string& segment, PathValues& values) {
  if (wanted == "{file}" || wanted == "{hash}") {
    const auto hash = PathHash::from_hex(segment);
    if (!hash) return Fit::kBadValue;
    values.hash = *hash;
    return Fit::kYes;
  }
  if (wanted == "{prefix}") {
    return segment == "default" || segment == "default-merkledb" ? Fit::kYes : Fit::kNo;
  }
  if (wanted == "{name}") {
    if (segment.size() > kMaxName) return Fit::kBadValue;
    values.name = segment;
    return Fit::kYes;
  }
  return wanted == segment ? Fit::kYes : Fit::kNo;
}

Fit fit_path(std::string_view wanted, std::span<const std::string> segments, PathValues& values) {
  Fit out = Fit::kYes;
  for (const auto& segment : segments) {
    if (wanted.empty()) return Fit::kNo;
    wanted.remove_prefix(1);
    const size_t end = std::min(wanted.find('/'), wanted.size());
    const Fit fit = fit_segment(wanted.substr(0, end), segment, values);
    if (fit == Fit::kNo) return Fit::kNo;
    if (fit == Fit::kBadValue) out = Fit::kBadValue;
    wanted.remove_prefix(end);
  }
  return wanted.empty() ? out : Fit::kNo;
}

bool is_served(const Route& route, bool is_admin_listener) {
  if (route.access == Access::kOpen) return true;
  return (route.access == Access::kAdmin) == is_admin_listener;
}

}  // namespace

std::span<const Route> routes() {
  return kRoutes;
}

RouteMatch find_route(std::string_view method, std::string_view path, bool is_admin_listener) {
  RouteMatch out;
  const auto segments = decode_path(path);
  if (!segments) return out;
  for (const auto& route : kRoutes) {
    if (!is_served(route, is_admin_listener)) continue;
    PathValues values;
    const Fit fit = fit_path(route.path, *segments, values);
    if (fit == Fit::kNo) continue;
    if (route.method != method) {
      if (!tells_wrong_method(route.path) || out.kind == RouteMatch::Kind::kBadValue) continue;
      out.kind = RouteMatch::Kind::kWrongMethod;
      if (!out.allow.empty()) out.allow += ", ";
      out.allow += route.method;
      continue;
    }
    out.route = &route;
    out.values = std::move(values);
    out.kind = fit == Fit::kYes ? RouteMatch::Kind::kFound : RouteMatch::Kind::kBadValue;
    return out;
  }
  return out;
}

}  // namespace xet::http
