#include "server/http/route.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "server/http/handlers.h"
#include "server/http/hub_handlers.h"
#include "server/http/streamers.h"
#include "server/http/target.h"

namespace xet::http {

namespace {

using store::RepositoryType;

constexpr size_t kMaxName = 4096;
constexpr std::string_view kDotGit = ".git";

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
     .takes_slot = true,
     .max_body = &ServerLimits::xorb_body_bytes,
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
     .takes_slot = true,
     .max_body = &ServerLimits::xorb_body_bytes,
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
     .takes_slot = true,
     .large_body = true,
     .max_body = &ServerLimits::shard_body_bytes,
     .handler = take_shard},
    {.method = "POST",
     .path = "/v2/shards",
     .access = Access::kWrite,
     .takes_slot = true,
     .large_body = true,
     .max_body = &ServerLimits::shard_body_bytes,
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

    // The Hub
    {.method = "GET",
     .path = "/api/whoami-v2",
     .access = Access::kHubUser,
     .runs_on = RunsOn::kWork,
     .hub = hub_whoami},
    {.method = "GET",
     .path = "/api/agent-harnesses",
     .access = Access::kHubOpen,
     .runs_on = RunsOn::kWork,
     .hub = hub_harnesses},
    {.method = "POST",
     .path = "/api/validate-yaml",
     .access = Access::kHubOpen,
     .runs_on = RunsOn::kWork,
     .max_body = &ServerLimits::hub_body_bytes,
     .hub = hub_validate_yaml},
    {.method = "POST",
     .path = "/api/repos/create",
     .access = Access::kHubUser,
     .runs_on = RunsOn::kSync,
     .max_body = &ServerLimits::hub_body_bytes,
     .hub = hub_create_repository},
    {.method = "DELETE",
     .path = "/api/repos/delete",
     .access = Access::kHubUser,
     .runs_on = RunsOn::kSync,
     .max_body = &ServerLimits::hub_body_bytes,
     .hub = hub_delete_repository},
    {.method = "POST",
     .path = "/api/repos/move",
     .access = Access::kHubUser,
     .runs_on = RunsOn::kSync,
     .max_body = &ServerLimits::hub_body_bytes,
     .hub = hub_move_repository},
    {.method = "GET",
     .path = "/api/settings/repositories",
     .access = Access::kHubUser,
     .runs_on = RunsOn::kWork,
     .hub = hub_list_own_repositories},
    {.method = "GET",
     .path = "/api/organizations/{ns}/settings/repositories",
     .access = Access::kHubUser,
     .runs_on = RunsOn::kWork,
     .hub = hub_list_own_repositories},
    {.method = "GET",
     .path = "/api/buckets/{ns}",
     .access = Access::kHubOpen,
     .runs_on = RunsOn::kWork,
     .hub = hub_list_buckets},
    {.method = "POST",
     .path = "/api/buckets/{ns}/{repo}",
     .access = Access::kHubUser,
     .runs_on = RunsOn::kSync,
     .max_body = &ServerLimits::hub_body_bytes,
     .hub = hub_create_bucket},
    {.method = "GET",
     .path = "/api/buckets/{ns}/{repo}",
     .access = Access::kHubRead,
     .runs_on = RunsOn::kWork,
     .type = RepositoryType::kBucket,
     .hub = hub_bucket_info},
    {.method = "DELETE",
     .path = "/api/buckets/{ns}/{repo}",
     .access = Access::kHubWrite,
     .runs_on = RunsOn::kSync,
     .type = RepositoryType::kBucket,
     .max_body = &ServerLimits::hub_body_bytes,
     .hub = hub_delete_bucket},
    {.method = "PUT",
     .path = "/api/buckets/{ns}/{repo}/settings",
     .access = Access::kHubWrite,
     .runs_on = RunsOn::kSync,
     .type = RepositoryType::kBucket,
     .max_body = &ServerLimits::hub_body_bytes,
     .hub = hub_change_settings},
    {.method = "GET",
     .path = "/api/buckets/{ns}/{repo}/tree",
     .access = Access::kHubRead,
     .runs_on = RunsOn::kWork,
     .type = RepositoryType::kBucket,
     .hub = hub_bucket_tree},
    {.method = "GET",
     .path = "/api/buckets/{ns}/{repo}/tree/{path...}",
     .access = Access::kHubRead,
     .runs_on = RunsOn::kWork,
     .type = RepositoryType::kBucket,
     .hub = hub_bucket_tree},
    {.method = "POST",
     .path = "/api/buckets/{ns}/{repo}/paths-info",
     .access = Access::kHubRead,
     .runs_on = RunsOn::kWork,
     .type = RepositoryType::kBucket,
     .max_body = &ServerLimits::hub_body_bytes,
     .hub = hub_bucket_paths},
    {.method = "POST",
     .path = "/api/buckets/{ns}/{repo}/batch",
     .access = Access::kHubWrite,
     .runs_on = RunsOn::kSync,
     .type = RepositoryType::kBucket,
     .max_body = &ServerLimits::hub_body_bytes,
     .hub = hub_bucket_batch},
    {.method = "GET",
     .path = "/api/buckets/{ns}/{repo}/xet-read-token",
     .access = Access::kHubRead,
     .runs_on = RunsOn::kWork,
     .type = RepositoryType::kBucket,
     .hub = hub_read_token},
    {.method = "GET",
     .path = "/api/buckets/{ns}/{repo}/xet-write-token",
     .access = Access::kHubWrite,
     .runs_on = RunsOn::kWork,
     .type = RepositoryType::kBucket,
     .hub = hub_write_token},
    {.method = "GET",
     .path = "/buckets/{ns}/{repo}/resolve/{path...}",
     .access = Access::kHubRead,
     .runs_on = RunsOn::kWork,
     .type = RepositoryType::kBucket,
     .hub = hub_bucket_resolve},
    {.method = "HEAD",
     .path = "/buckets/{ns}/{repo}/resolve/{path...}",
     .access = Access::kHubRead,
     .runs_on = RunsOn::kWork,
     .type = RepositoryType::kBucket,
     .hub = hub_bucket_resolve},
    {.method = "GET",
     .path = "/api/{types}",
     .access = Access::kHubOpen,
     .runs_on = RunsOn::kWork,
     .hub = hub_list_repositories},
    {.method = "GET",
     .path = "/api/{types}/{ns}/{repo}",
     .access = Access::kHubRead,
     .runs_on = RunsOn::kWork,
     .hub = hub_repository_info},
    {.method = "GET",
     .path = "/api/{types}/{ns}/{repo}/revision/{rev}",
     .access = Access::kHubRead,
     .runs_on = RunsOn::kWork,
     .hub = hub_repository_info},
    {.method = "PUT",
     .path = "/api/{types}/{ns}/{repo}/settings",
     .access = Access::kHubWrite,
     .runs_on = RunsOn::kSync,
     .max_body = &ServerLimits::hub_body_bytes,
     .hub = hub_change_settings},
    {.method = "GET",
     .path = "/api/{types}/{ns}/{repo}/auth-check",
     .access = Access::kHubRead,
     .runs_on = RunsOn::kWork,
     .hub = hub_auth_check},
    {.method = "GET",
     .path = "/api/{types}/{ns}/{repo}/auth-check/write",
     .access = Access::kHubWrite,
     .runs_on = RunsOn::kWork,
     .hub = hub_auth_check},
    {.method = "GET",
     .path = "/api/{types}/{ns}/{repo}/refs",
     .access = Access::kHubRead,
     .runs_on = RunsOn::kWork,
     .hub = hub_refs},
    {.method = "GET",
     .path = "/api/{types}/{ns}/{repo}/commits/{rev}",
     .access = Access::kHubRead,
     .runs_on = RunsOn::kWork,
     .hub = hub_commits},
    {.method = "POST",
     .path = "/api/{types}/{ns}/{repo}/branch/{ref}",
     .access = Access::kHubWrite,
     .runs_on = RunsOn::kSync,
     .max_body = &ServerLimits::hub_body_bytes,
     .hub = hub_create_branch},
    {.method = "DELETE",
     .path = "/api/{types}/{ns}/{repo}/branch/{ref}",
     .access = Access::kHubWrite,
     .runs_on = RunsOn::kSync,
     .max_body = &ServerLimits::hub_body_bytes,
     .hub = hub_delete_branch},
    {.method = "POST",
     .path = "/api/{types}/{ns}/{repo}/tag/{rev}",
     .access = Access::kHubWrite,
     .runs_on = RunsOn::kSync,
     .max_body = &ServerLimits::hub_body_bytes,
     .hub = hub_create_tag},
    {.method = "DELETE",
     .path = "/api/{types}/{ns}/{repo}/tag/{ref}",
     .access = Access::kHubWrite,
     .runs_on = RunsOn::kSync,
     .max_body = &ServerLimits::hub_body_bytes,
     .hub = hub_delete_tag},
    {.method = "POST",
     .path = "/api/{types}/{ns}/{repo}/super-squash/{ref}",
     .access = Access::kHubWrite,
     .runs_on = RunsOn::kSync,
     .max_body = &ServerLimits::hub_body_bytes,
     .hub = hub_squash},
    {.method = "GET",
     .path = "/api/{types}/{ns}/{repo}/tree/{rev}",
     .access = Access::kHubRead,
     .runs_on = RunsOn::kWork,
     .hub = hub_tree},
    {.method = "GET",
     .path = "/api/{types}/{ns}/{repo}/tree/{rev}/{path...}",
     .access = Access::kHubRead,
     .runs_on = RunsOn::kWork,
     .hub = hub_tree},
    {.method = "POST",
     .path = "/api/{types}/{ns}/{repo}/paths-info/{rev}",
     .access = Access::kHubRead,
     .runs_on = RunsOn::kWork,
     .max_body = &ServerLimits::hub_body_bytes,
     .hub = hub_paths_info},
    {.method = "POST",
     .path = "/api/{types}/{ns}/{repo}/preupload/{rev}",
     .access = Access::kHubWrite,
     .runs_on = RunsOn::kWork,
     .max_body = &ServerLimits::hub_body_bytes,
     .hub = hub_preupload},
    {.method = "GET",
     .path = "/api/{types}/{ns}/{repo}/xet-read-token/{rev}",
     .access = Access::kHubRead,
     .runs_on = RunsOn::kWork,
     .hub = hub_read_token},
    {.method = "GET",
     .path = "/api/{types}/{ns}/{repo}/xet-write-token/{rev}",
     .access = Access::kHubWrite,
     .runs_on = RunsOn::kWork,
     .hub = hub_write_token},
    {.method = "POST",
     .path = "/api/{types}/{ns}/{repo}/lfs-files/duplicate",
     .access = Access::kHubRead,
     .runs_on = RunsOn::kSync,
     .max_body = &ServerLimits::hub_body_bytes,
     .hub = hub_duplicate_lfs},
    {.method = "POST",
     .path = "/api/{types}/{ns}/{repo}/commit/{rev}",
     .access = Access::kHubWrite,
     .runs_on = RunsOn::kSync,
     .large_body = true,
     .max_body = &ServerLimits::commit_body_bytes,
     .hub = hub_commit},
    {.method = "GET",
     .path = "/{ns}/{repo}/resolve/{rev}/{path...}",
     .access = Access::kHubRead,
     .runs_on = RunsOn::kWork,
     .hub = hub_resolve},
    {.method = "HEAD",
     .path = "/{ns}/{repo}/resolve/{rev}/{path...}",
     .access = Access::kHubRead,
     .runs_on = RunsOn::kWork,
     .hub = hub_resolve},
    {.method = "POST",
     .path = "/{ns}/{repo.git}/info/lfs/objects/batch",
     .access = Access::kHubRead,
     .runs_on = RunsOn::kWork,
     .max_body = &ServerLimits::hub_body_bytes,
     .hub = hub_lfs_batch},
    {.method = "POST",
     .path = "/{ns}/{repo.git}/info/lfs/objects/verify",
     .access = Access::kHubWrite,
     .runs_on = RunsOn::kWork,
     .max_body = &ServerLimits::hub_body_bytes,
     .hub = hub_lfs_verify},
    {.method = "GET",
     .path = "/datasets/{ns}/{repo}/resolve/{rev}/{path...}",
     .access = Access::kHubRead,
     .runs_on = RunsOn::kWork,
     .type = RepositoryType::kDataset,
     .hub = hub_resolve},
    {.method = "HEAD",
     .path = "/datasets/{ns}/{repo}/resolve/{rev}/{path...}",
     .access = Access::kHubRead,
     .runs_on = RunsOn::kWork,
     .type = RepositoryType::kDataset,
     .hub = hub_resolve},
    {.method = "POST",
     .path = "/datasets/{ns}/{repo.git}/info/lfs/objects/batch",
     .access = Access::kHubRead,
     .runs_on = RunsOn::kWork,
     .type = RepositoryType::kDataset,
     .max_body = &ServerLimits::hub_body_bytes,
     .hub = hub_lfs_batch},
    {.method = "POST",
     .path = "/datasets/{ns}/{repo.git}/info/lfs/objects/verify",
     .access = Access::kHubWrite,
     .runs_on = RunsOn::kWork,
     .type = RepositoryType::kDataset,
     .max_body = &ServerLimits::hub_body_bytes,
     .hub = hub_lfs_verify},
    {.method = "GET",
     .path = "/spaces/{ns}/{repo}/resolve/{rev}/{path...}",
     .access = Access::kHubRead,
     .runs_on = RunsOn::kWork,
     .type = RepositoryType::kSpace,
     .hub = hub_resolve},
    {.method = "HEAD",
     .path = "/spaces/{ns}/{repo}/resolve/{rev}/{path...}",
     .access = Access::kHubRead,
     .runs_on = RunsOn::kWork,
     .type = RepositoryType::kSpace,
     .hub = hub_resolve},
    {.method = "POST",
     .path = "/spaces/{ns}/{repo.git}/info/lfs/objects/batch",
     .access = Access::kHubRead,
     .runs_on = RunsOn::kWork,
     .type = RepositoryType::kSpace,
     .max_body = &ServerLimits::hub_body_bytes,
     .hub = hub_lfs_batch},
    {.method = "POST",
     .path = "/spaces/{ns}/{repo.git}/info/lfs/objects/verify",
     .access = Access::kHubWrite,
     .runs_on = RunsOn::kWork,
     .type = RepositoryType::kSpace,
     .max_body = &ServerLimits::hub_body_bytes,
     .hub = hub_lfs_verify},
    {.method = "GET",
     .path = "/bridge/{name}/{path...}",
     .access = Access::kSigned,
     .streamer = send_bridged},
    {.method = "HEAD",
     .path = "/bridge/{name}/{path...}",
     .access = Access::kSigned,
     .streamer = send_bridged},
    {.method = "PUT",
     .path = "/lfs/{name}",
     .access = Access::kSigned,
     .takes_long = true,
     .max_body = &ServerLimits::lfs_body_bytes,
     .streamer = take_lfs},
};

// A client that asks for a grant takes every other refusal for the end of the upload, so whatever reaches
// these paths in a wrong way is just not there.
bool tells_wrong_method(std::string_view path) {
  return !path.starts_with("/v1/xorb-grants/");
}

/// A segment of a path as it came, and as it is meant; the latter is missing when no ordinary name can be so.
struct Segment {
  std::string_view raw;
  std::optional<std::string> text;
};

enum class Fit : uint8_t { kNo, kBadValue, kYes };

Fit take_text(const Segment& segment, std::string& into) {
  if (segment.raw.size() > kMaxName) return Fit::kBadValue;
  auto text = decode_percent_utf8(segment.raw);
  if (!text || text->empty()) return Fit::kBadValue;
  into = *std::move(text);
  return Fit::kYes;
}

Fit take_type(const Segment& segment, store::RepositoryType& into) {
  if (segment.text == "models") {
    into = store::RepositoryType::kModel;
  } else if (segment.text == "datasets") {
    into = store::RepositoryType::kDataset;
  } else if (segment.text == "spaces") {
    into = store::RepositoryType::kSpace;
  } else {
    return Fit::kNo;
  }
  return Fit::kYes;
}

Fit fit_segment(std::string_view wanted, const Segment& segment, PathValues& values) {
  if (wanted == "{rev}" || wanted == "{ref}") return take_text(segment, values.revision);
  if (!segment.text) return Fit::kNo;
  const std::string& text = *segment.text;
  if (wanted == "{file}" || wanted == "{hash}") {
    const auto hash = PathHash::from_hex(text);
    if (!hash) return Fit::kBadValue;
    values.hash = *hash;
    return Fit::kYes;
  }
  if (wanted == "{prefix}") {
    return text == "default" || text == "default-merkledb" ? Fit::kYes : Fit::kNo;
  }
  if (wanted == "{name}") {
    if (text.size() > kMaxName) return Fit::kBadValue;
    values.name = text;
    return Fit::kYes;
  }
  if (wanted == "{types}") return take_type(segment, values.type);
  if (wanted == "{ns}") {
    values.name_space = text;
    return Fit::kYes;
  }
  if (wanted == "{repo}") {
    values.repository = text;
    return Fit::kYes;
  }
  if (wanted == "{repo.git}") {
    if (!text.ends_with(kDotGit)) return Fit::kNo;
    values.repository = text.substr(0, text.size() - kDotGit.size());
    return Fit::kYes;
  }
  return wanted == text ? Fit::kYes : Fit::kNo;
}

/// What is left of the path, slashes and escaped slashes alike.
Fit take_rest(std::span<const Segment> segments, PathValues& values) {
  for (const auto& segment : segments) {
    std::string text;
    const Fit fit = take_text(segment, text);
    if (fit != Fit::kYes) return fit;
    if (!values.path.empty()) values.path.push_back('/');
    values.path += text;
    if (values.path.size() > kMaxName) return Fit::kBadValue;
  }
  return Fit::kYes;
}

Fit fit_path(std::string_view wanted, std::span<const Segment> segments, PathValues& values) {
  Fit out = Fit::kYes;
  for (size_t i = 0; i < segments.size(); ++i) {
    if (wanted.empty()) return Fit::kNo;
    wanted.remove_prefix(1);
    const size_t end = std::min(wanted.find('/'), wanted.size());
    const bool takes_rest = wanted == "{path...}";
    const Fit fit = takes_rest ? take_rest(segments.subspan(i), values)
                               : fit_segment(wanted.substr(0, end), segments[i], values);
    if (fit == Fit::kNo) return Fit::kNo;
    if (fit == Fit::kBadValue) out = Fit::kBadValue;
    if (takes_rest) return out;
    wanted.remove_prefix(end);
  }
  return wanted.empty() ? out : Fit::kNo;
}

bool is_served(const Route& route, bool is_admin_listener) {
  if (route.access == Access::kOpen) return true;
  return (route.access == Access::kAdmin) == is_admin_listener;
}

RouteMatch match_segments(std::string_view method, std::span<const Segment> segments,
                          bool is_admin_listener) {
  RouteMatch out;
  for (const auto& route : kRoutes) {
    if (!is_served(route, is_admin_listener)) continue;
    PathValues values;
    values.type = route.type;
    const Fit fit = fit_path(route.path, segments, values);
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

/// Whether there is a route to a repository when a namespace is put where one can stand: in
/// "/NAME/…", "/datasets/NAME/…" and "/api/models/NAME/…".
bool lacks_namespace(std::string_view method, std::span<const Segment> segments, bool is_admin_listener) {
  constexpr size_t kLastPlace = 2;
  const Segment some_namespace{.raw = "x", .text = "x"};
  for (size_t i = 0; i <= kLastPlace && i < segments.size(); ++i) {
    std::vector<Segment> longer(segments.begin(), segments.end());
    longer.insert(longer.begin() + static_cast<std::ptrdiff_t>(i), some_namespace);
    const auto match = match_segments(method, longer, is_admin_listener);
    if (match.kind != RouteMatch::Kind::kFound) continue;
    if (match.route->access == Access::kHubRead || match.route->access == Access::kHubWrite) return true;
  }
  return false;
}

}  // namespace

std::span<const Route> routes() {
  return kRoutes;
}

RouteMatch find_route(std::string_view method, std::string_view path, bool is_admin_listener) {
  const auto raw = split_path(path);
  if (!raw) return {};
  std::vector<Segment> segments;
  segments.reserve(raw->size() + 1);
  for (const auto segment : *raw) segments.push_back({.raw = segment, .text = decode_segment(segment)});
  auto out = match_segments(method, segments, is_admin_listener);
  if (out.kind != RouteMatch::Kind::kUnknown && out.kind != RouteMatch::Kind::kWrongMethod) return out;
  if (lacks_namespace(method, segments, is_admin_listener)) out.kind = RouteMatch::Kind::kNoNamespace;
  return out;
}

}  // namespace xet::http
