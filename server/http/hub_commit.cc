// How content comes into a repository: what to upload where, and commits.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "base/try.h"
#include "server/http/hub_handlers.h"
#include "server/http/hub_json.h"

namespace xet::http {

namespace {

using hub::CommitRequest;
using hub::Operation;
using hub::Outcome;
using hub::Reason;
using hub::refuse;

Outcome<ByteVector> content_of(const Json& value) {
  XET_TRY(const auto encoding, optional_text(value, "encoding"));
  XET_TRY(const auto text, text_member(value, "content"));
  if (encoding && *encoding != "base64" && *encoding != "utf-8") {
    return refuse(Reason::kInvalid, "'encoding' is neither base64 nor utf-8");
  }
  if (encoding == "utf-8") {
    const auto bytes = as_byte_span(text);
    return ByteVector(bytes.begin(), bytes.end());
  }
  auto bytes = from_base64(text);
  if (!bytes) return refuse(Reason::kInvalid, "'content' is no base64");
  return *std::move(bytes);
}

hub::Done read_header(const Json& value, CommitRequest& out) {
  XET_TRY(const auto summary, optional_text(value, "summary"));
  XET_TRY(const auto description, optional_text(value, "description"));
  XET_TRY(const auto parent, optional_text(value, "parentCommit"));
  out.summary = summary.value_or("");
  out.description = description.value_or("");
  if (parent) {
    out.parent = hub::GitId::from_hex(*parent);
    if (!out.parent) return refuse(Reason::kInvalid, "'parentCommit' is not 40 hex digits");
  }
  return {};
}

Outcome<Operation> read_operation(std::string_view key, const Json& value) {
  Operation out{.kind = Operation::Kind::kFile, .path = {}, .content = {}, .sha256 = {}};
  XET_TRY(out.path, text_member(value, "path"));
  if (key == "file") {
    XET_TRY(out.content, content_of(value));
  } else if (key == "lfsFile") {
    out.kind = Operation::Kind::kLfsFile;
    XET_TRY(const auto algorithm, optional_text(value, "algo"));
    if (algorithm && *algorithm != "sha256") return refuse(Reason::kInvalid, "'algo' is not sha256");
    XET_TRY(out.sha256, sha256_member(value, "oid"));
  } else if (key == "deletedFile") {
    out.kind = Operation::Kind::kDeleteFile;
  } else if (key == "deletedFolder") {
    out.kind = Operation::Kind::kDeleteFolder;
  } else {
    return refuse(Reason::kInvalid, "'key' is none of header, file, lfsFile, deletedFile, deletedFolder");
  }
  return out;
}

/// Line by line, so that no second form of the whole body is in memory.
Outcome<CommitRequest> read_commit(ByteSpan body) {
  CommitRequest out;
  auto rest = as_chars(body);
  bool has_header = false;
  for (size_t number = 1; !rest.empty(); ++number) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const auto text = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    XET_TRY(const auto lines, json_lines(as_byte_span(text), 1));
    if (lines.empty()) continue;
    XET_TRY(const auto key, text_member(lines.front(), "key"));
    const auto value = lines.front().find("value");
    if (value == lines.front().end() || !value->is_object()) {
      return refuse(Reason::kInvalid, fmt::format("line {}: 'value' is no object", number));
    }
    if (key == "header") {
      if (std::exchange(has_header, true)) return refuse(Reason::kInvalid, "a commit has one header");
      XET_TRY_STATUS(read_header(*value, out));
      continue;
    }
    if (out.operations.size() == hub::Hub::kMaxOperations) {
      return refuse(Reason::kTooLarge,
                    fmt::format("a commit of more than {} lines", hub::Hub::kMaxOperations));
    }
    XET_TRY(out.operations.emplace_back(), read_operation(key, *value));
  }
  if (!has_header) return refuse(Reason::kInvalid, "the commit has no header");
  return out;
}

}  // namespace

Outcome<Answer> hub_preupload(HubCall& call) {
  XET_TRY(const auto body, json_body(call.request));
  const auto listed = body.find("files");
  if (listed == body.end() || !listed->is_array()) return refuse(Reason::kInvalid, "'files' is no array");
  XET_TRY(const auto revision, call.hub.revision(call.repository, call.request.values.revision));
  std::vector<hub::Preupload> files;
  for (const auto& each : *listed) {
    if (!each.is_object()) return refuse(Reason::kInvalid, "'files' has something that is no object");
    auto& file = files.emplace_back();
    XET_TRY(file.path, text_member(each, "path"));
    XET_TRY(file.size_bytes, size_member(each));
    XET_TRY(const auto sample, optional_text(each, "sample"));
    const auto bytes = from_base64(sample.value_or(""));
    if (!bytes) return refuse(Reason::kInvalid, "'sample' is no base64");
    file.sample = as_chars(*bytes);
  }
  XET_TRY(const auto ignores, optional_text(body, "gitIgnore"));
  XET_TRY_STATUS(call.hub.preupload(call.repository, revision, ignores, files));
  Json out = Json::array();
  for (const auto& file : files) {
    out.push_back({{"path", file.path},
                   {"uploadMode", file.as_lfs ? "lfs" : "regular"},
                   {"shouldIgnore", file.is_ignored},
                   {"oid", file.known_id.empty() ? Json() : Json(file.known_id)}});
  }
  return json_answer(Json{{"files", std::move(out)}, {"commitOid", revision.commit.hex()}});
}

Outcome<Answer> hub_commit(HubCall& call) {
  if (query_flag(call.request, "create_pr")) {
    return refuse(Reason::kNotHere, "this server has no pull requests; commit to a branch instead");
  }
  XET_TRY(const auto request, read_commit(call.request.body));
  XET_TRY(const auto id, call.hub.commit(call.who, call.repository, call.request.values.revision, request));
  return json_answer(
      Json{{"success", true},
           {"commitOid", id.hex()},
           {"commitUrl", fmt::format("{}/commit/{}", page_url(call, call.repository), id.hex())},
           {"hookOutput", ""}});
}

Outcome<Answer> hub_duplicate_lfs(HubCall& call) {
  XET_TRY(const auto body, json_body(call.request));
  const auto target = body.find("target");
  const auto listed = body.find("files");
  if (target == body.end() || !target->is_object() || listed == body.end() || !listed->is_array()) {
    return refuse(Reason::kInvalid, "'target' is no object, or 'files' no array");
  }
  if (listed->size() > hub::Hub::kMaxOperations) return refuse(Reason::kTooLarge, "too many files at once");
  XET_TRY(const auto type_text, text_member(*target, "type"));
  XET_TRY(const auto type, known_type(type_text));
  XET_TRY(const auto named, repository_member(type, *target, "name"));
  XET_TRY(const auto to, call.hub.find(call.who, named.view(), hub::Right::kWrite));
  std::vector<Sha256Digest> wanted;
  for (const auto& each : *listed) {
    if (!each.is_object()) return refuse(Reason::kInvalid, "'files' has something that is no object");
    XET_TRY(wanted.emplace_back(), sha256_member(each, "sha256"));
  }
  XET_TRY(const auto missing, call.hub.share(call.repository, to, wanted));
  Json failed = Json::array();
  for (const auto& sha256 : missing)
    failed.push_back({{"sha256", sha256.hex()}, {"error", "the source has no such file"}});
  return json_answer(Json{{"success", failed.empty()}, {"failed", std::move(failed)}});
}

}  // namespace xet::http
