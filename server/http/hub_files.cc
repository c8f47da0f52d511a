// What lies in a repository, and its bytes.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/try.h"
#include "server/http/byte_ranges.h"
#include "server/http/hub_content.h"
#include "server/http/hub_handlers.h"
#include "server/http/hub_json.h"
#include "server/http/target.h"

namespace xet::http {

namespace {

using hub::Outcome;
using hub::Reason;
using hub::refuse;

constexpr size_t kPage = 1000;
constexpr size_t kExpandedPage = 50;

Json json_of(const hub::Entry& entry) {
  Json out{{"type", entry.is_folder ? "directory" : "file"}, {"oid", entry.id.hex()}, {"path", entry.path}};
  out["size"] = entry.is_folder ? 0 : entry.size_bytes;
  if (entry.lfs) {
    out["lfs"] = {{"oid", entry.lfs->sha256.hex()},
                  {"size", entry.lfs->size_bytes},
                  {"pointerSize", entry.pointer_bytes}};
    out["xetHash"] = entry.lfs->file.hex();
  }
  if (entry.last_commit) {
    out["lastCommit"] = {{"id", entry.last_commit->id.hex()},
                         {"title", entry.last_commit->title},
                         {"date", hub_time(entry.last_commit->time_s * 1000)}};
  }
  return out;
}

std::string_view name_in(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

}  // namespace

Outcome<Answer> hub_tree(HubCall& call) {
  const auto& values = call.request.values;
  XET_TRY(const auto revision, call.hub.revision(call.repository, values.revision));
  const bool expand = query_flag(call.request, "expand");
  XET_TRY(const auto page, call.hub.list_tree(call.repository, revision, values.path,
                                              {.recursive = query_flag(call.request, "recursive"),
                                               .with_last_commit = expand,
                                               .after = query_value(call.request, "cursor"),
                                               .limit = expand ? kExpandedPage : kPage}));
  Json out = Json::array();
  for (const auto& entry : page.items) out.push_back(json_of(entry));
  return page_answer(call, out, page.next);
}

Outcome<Answer> hub_paths_info(HubCall& call) {
  const auto form = as_chars(call.request.body);
  XET_TRY(const auto revision, call.hub.revision(call.repository, call.request.values.revision));
  std::vector<std::string> paths;
  bool expand = false;
  if (form.starts_with('{')) {
    XET_TRY(const auto body, json_body(call.request));
    XET_TRY(paths, text_list(body, "paths"));
    expand = body.value("expand", Json(false)) == true;
  } else {
    auto values = form_values(form, "paths");
    if (!values) return refuse(Reason::kInvalid, values.error().message);
    paths = *std::move(values);
    const auto expands = form_values(form, "expand");
    expand = expands && !expands->empty() && (expands->front() == "true" || expands->front() == "True");
  }
  XET_TRY(const auto entries, call.hub.entries(call.repository, revision, paths, expand));
  Json out = Json::array();
  for (const auto& entry : entries) out.push_back(json_of(entry));
  return json_answer(out);
}

Outcome<Answer> hub_resolve(HubCall& call) {
  const auto& values = call.request.values;
  XET_TRY(const auto revision, call.hub.revision(call.repository, values.revision));
  auto found = call.hub.file(call.repository, revision, values.path);
  if (!found) {
    if (found.error().reason != Reason::kNoEntry) return tl::unexpected(std::move(found).error());
    // With the commit, so that clients can remember that this one has no such file.
    Answer missing = hub_error(404, "EntryNotFound", found.error().message);
    missing.headers.emplace_back("X-Repo-Commit", revision.commit.hex());
    return missing;
  }
  Content content{.name = name_in(values.path), .size_bytes = found->size_bytes};
  content.headers.emplace_back("X-Repo-Commit", revision.commit.hex());
  if (found->lfs) {
    content.etag = found->lfs->sha256.hex();
    content.xet = found->lfs->file;
    content.sha256 = found->lfs->sha256;
    content.token_url = fmt::format("{}/xet-read-token/{}", api_url(call), revision.commit.hex());
    return xet_content(call, content);
  }
  content.etag = found->id.hex();
  if (call.request.head.method == "HEAD") return content_answer(call, content, {});
  XET_TRY(const auto bytes, call.hub.content(call.repository, *found));
  return content_answer(call, content, bytes);
}

}  // namespace xet::http
