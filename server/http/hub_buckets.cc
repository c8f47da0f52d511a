// Buckets.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/try.h"
#include "server/http/hub_content.h"
#include "server/http/hub_handlers.h"
#include "server/http/hub_json.h"

namespace xet::http {

namespace {

using hub::BucketOperation;
using hub::Outcome;
using hub::Reason;
using hub::refuse;
using store::HubRepository;
using store::RepositoryType;

constexpr size_t kPage = 1000;

Outcome<Json> json_of(HubCall& call, const HubRepository& bucket) {
  XET_TRY(const auto totals, call.hub.totals(bucket));
  return Json{{"id", bucket.full_name()},
              {"author", bucket.name_space},
              {"private", bucket.is_private},
              {"createdAt", hub_time(bucket.created)},
              {"updatedAt", hub_time(bucket.updated)},
              {"size", totals.bytes},
              {"totalFiles", totals.files}};
}

Json json_of(const store::BucketEntry& entry) {
  return {{"type", "file"},
          {"path", entry.path},
          {"size", entry.size_bytes},
          {"xetHash", entry.file.hex()},
          {"mtime", hub_time(entry.modified)},
          {"uploadedAt", hub_time(entry.uploaded)}};
}

Outcome<BucketOperation> read_operation(HubCall& call, const Json& line) {
  BucketOperation out{.kind = BucketOperation::Kind::kAdd,
                      .path = {},
                      .file = {},
                      .modified = {},
                      .content_type = {},
                      .source = {}};
  XET_TRY(const auto type, text_member(line, "type"));
  XET_TRY(out.path, text_member(line, "path"));
  if (type == "deleteFile") {
    out.kind = BucketOperation::Kind::kDelete;
    return out;
  }
  if (type != "addFile" && type != "copyFile") {
    return refuse(Reason::kInvalid, "'type' is none of addFile, copyFile and deleteFile");
  }
  XET_TRY(const auto hash, text_member(line, "xetHash"));
  const auto file = FileHash::from_hex(hash);
  if (!file) return refuse(Reason::kInvalid, "'xetHash' is not 64 hex digits");
  out.file = *file;
  XET_TRY(out.modified, optional_number(line, "mtime"));
  XET_TRY(const auto content_type, optional_text(line, "contentType"));
  out.content_type = content_type.value_or("");
  if (type == "addFile") return out;
  out.kind = BucketOperation::Kind::kCopy;
  XET_TRY(const auto source_type, text_member(line, "sourceRepoType"));
  XET_TRY(const auto known, known_type(source_type));
  XET_TRY(const auto named, repository_member(known, line, "sourceRepoId"));
  auto source = call.hub.find(call.who, named.view(), hub::Right::kRead);
  if (source) {
    out.source = *std::move(source);
  } else if (source.error().reason != Reason::kNoRepository) {
    return tl::unexpected(std::move(source).error());
  }
  return out;
}

}  // namespace

Outcome<Answer> hub_create_bucket(HubCall& call) {
  Json body = Json::object();
  if (!call.request.body.empty()) {
    XET_TRY(body, json_body(call.request));
  }
  XET_TRY(const auto is_private, wants_private(body));
  const auto& values = call.request.values;
  XET_TRY(const auto created,
          call.hub.create(
              call.who,
              {.type = RepositoryType::kBucket, .name_space = values.name_space, .name = values.repository},
              is_private));
  Json out{{"url", page_url(call, created.repository)}, {"id", created.repository.full_name()}};
  if (!created.is_new) out["error"] = "You already created this bucket";
  Answer answer = json_answer(out);
  if (!created.is_new) answer.status = 409;
  return answer;
}

Outcome<Answer> hub_list_buckets(HubCall& call) {
  XET_TRY_STATUS(call.hub.check_known_namespace(call.who, call.request.values.name_space));
  XET_TRY(const auto page,
          call.hub.list(call.who, RepositoryType::kBucket, call.request.values.name_space,
                        query_value(call.request, "search"), query_value(call.request, "cursor"), kPage));
  Json out = Json::array();
  for (const auto& bucket : page.items) {
    XET_TRY(auto one, json_of(call, bucket));
    out.push_back(std::move(one));
  }
  return page_answer(call, out, page.next);
}

Outcome<Answer> hub_bucket_info(HubCall& call) {
  XET_TRY(const auto out, json_of(call, call.repository));
  return json_answer(out);
}

Outcome<Answer> hub_delete_bucket(HubCall& call) {
  XET_TRY_STATUS(call.hub.remove(call.who, {.type = call.repository.type,
                                            .name_space = call.repository.name_space,
                                            .name = call.repository.name}));
  Answer out;
  out.status = 204;
  return out;
}

Outcome<Answer> hub_bucket_tree(HubCall& call) {
  XET_TRY(const auto page, call.hub.list_bucket(call.repository, call.request.values.path,
                                                {.recursive = query_flag(call.request, "recursive", true),
                                                 .with_last_commit = false,
                                                 .after = query_value(call.request, "cursor"),
                                                 .limit = kPage}));
  Json out = Json::array();
  for (const auto& item : page.items) {
    if (item.is_folder) {
      out.push_back({{"type", "directory"}, {"path", item.path}, {"uploadedAt", hub_time(item.uploaded)}});
    } else {
      out.push_back(json_of(item.file));
    }
  }
  return page_answer(call, out, page.next);
}

Outcome<Answer> hub_bucket_paths(HubCall& call) {
  XET_TRY(const auto body, json_body(call.request));
  XET_TRY(const auto paths, text_list(body, "paths"));
  XET_TRY(const auto entries, call.hub.bucket_files(call.repository, paths));
  Json out = Json::array();
  for (const auto& entry : entries) out.push_back(json_of(entry));
  return json_answer(out);
}

Outcome<Answer> hub_bucket_batch(HubCall& call) {
  XET_TRY(const auto lines, json_lines(call.request.body, hub::Hub::kMaxBatch));
  std::vector<BucketOperation> operations;
  for (const auto& line : lines) {
    XET_TRY(operations.emplace_back(), read_operation(call, line));
  }
  XET_TRY(const auto failures, call.hub.batch(call.repository, operations));
  Json failed = Json::array();
  for (const auto& failure : failures) failed.push_back({{"path", failure.path}, {"error", failure.error}});
  Answer out = json_answer(Json{{"success", failures.empty()}, {"failed", std::move(failed)}});
  if (!operations.empty() && failures.size() == operations.size()) out.status = 422;
  return out;
}

Outcome<Answer> hub_bucket_resolve(HubCall& call) {
  const auto& path = call.request.values.path;
  XET_TRY(const auto entry, call.hub.bucket_file(call.repository, path));
  Content content{.name = std::string_view(path).substr(path.rfind('/') + 1),
                  .size_bytes = entry.size_bytes,
                  .etag = entry.file.hex(),
                  .headers = {},
                  .xet = entry.file,
                  .sha256 = {},
                  .token_url = api_url(call) + "/xet-read-token"};
  return xet_content(call, content);
}

}  // namespace xet::http
