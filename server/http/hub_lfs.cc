// Git LFS for clients without Xet: where to put and get files as they are.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/try.h"
#include "server/http/hub_handlers.h"
#include "server/http/hub_json.h"

namespace xet::http {

namespace {

using hub::Outcome;
using hub::Reason;
using hub::refuse;

constexpr std::string_view kLfsJson = "application/vnd.git-lfs+json";
constexpr size_t kMaxObjects = 1000;

struct Object {
  Sha256Digest sha256;
  uint64_t size_bytes = 0;
};

Outcome<Object> read_object(const Json& json) {
  if (!json.is_object()) return refuse(Reason::kInvalid, "'objects' has something that is no object");
  XET_TRY(const auto sha256, sha256_member(json, "oid"));
  XET_TRY(const auto size, size_member(json));
  return Object{.sha256 = sha256, .size_bytes = size};
}

Answer lfs_answer(const Json& json) {
  Answer out = json_answer(json);
  out.content_type = kLfsJson;
  return out;
}

Json upload_actions(const HubCall& call, const Object& object) {
  const auto id = call.app.signer->lfs_id({.sha256 = object.sha256,
                                           .repository = call.repository.id,
                                           .size_bytes = object.size_bytes,
                                           .expires_at_s = call.app.expiry_of_urls()});
  const auto& base = call.request.base_url;
  // The path of this very route, without its end.
  const std::string_view verify = call.request.path.substr(0, call.request.path.rfind('/'));
  Json verify_action{{"href", fmt::format("{}{}/verify", base, verify)}};
  if (!call.request.head.authorization.empty()) {
    verify_action["header"] = {{"Authorization", call.request.head.authorization}};
  }
  return {{"upload", {{"href", fmt::format("{}/lfs/{}", base, id)}}}, {"verify", std::move(verify_action)}};
}

Json download_actions(const HubCall& call, const store::LfsFile& file) {
  const auto id = call.app.signer->file_id({.file = file.file,
                                            .repository = call.repository.id,
                                            .size_bytes = file.size_bytes,
                                            .sha256 = file.sha256,
                                            .expires_at_s = call.app.expiry_of_urls()});
  return {
      {"download", {{"href", fmt::format("{}/bridge/{}/{}", call.request.base_url, id, file.sha256.hex())}}}};
}

}  // namespace

Outcome<Answer> hub_lfs_batch(HubCall& call) {
  XET_TRY(const auto body, json_body(call.request));
  XET_TRY(const auto operation, text_member(body, "operation"));
  const bool is_upload = operation == "upload";
  if (!is_upload && operation != "download") {
    return refuse(Reason::kInvalid, "'operation' is neither upload nor download");
  }
  if (is_upload && !call.who.may_write(call.repository.name_space)) {
    if (call.who.is_anonymous()) return refuse(Reason::kBadCredentials, "uploading needs a token");
    return refuse(Reason::kForbidden,
                  fmt::format("writing to {} is not allowed with this token", call.repository.full_name()));
  }
  XET_TRY(const auto hash, optional_text(body, "hash_algo"));
  if (hash && *hash != "sha256") return refuse(Reason::kInvalid, "'hash_algo' is not sha256");
  const auto listed = body.find("objects");
  if (listed == body.end() || !listed->is_array()) return refuse(Reason::kInvalid, "'objects' is no array");
  if (listed->size() > kMaxObjects) return refuse(Reason::kTooLarge, "more than 1000 objects at once");
  // Clients that know the Xet transfer say so, and upload to the CAS with a token of their own.
  std::vector<std::string> transfers;
  if (body.contains("transfers")) {
    XET_TRY(transfers, text_list(body, "transfers"));
  }
  const bool by_xet = is_upload && std::ranges::find(transfers, "xet") != transfers.end();
  Json objects = Json::array();
  for (const auto& each : *listed) {
    XET_TRY(const auto object, read_object(each));
    XET_TRY(const auto known, call.hub.lfs_file(call.repository, object.sha256));
    Json told{{"oid", object.sha256.hex()}, {"size", object.size_bytes}, {"authenticated", true}};
    if (!is_upload && (!known || known->size_bytes != object.size_bytes)) {
      told["error"] = {{"code", 404}, {"message", "the repository has no such object"}};
    } else if (!is_upload) {
      told["actions"] = download_actions(call, *known);
    } else if (!known && !by_xet) {
      told["actions"] = upload_actions(call, object);
    }
    objects.push_back(std::move(told));
  }
  return lfs_answer(
      Json{{"transfer", by_xet ? "xet" : "basic"}, {"hash_algo", "sha256"}, {"objects", std::move(objects)}});
}

Outcome<Answer> hub_lfs_verify(HubCall& call) {
  XET_TRY(const auto body, json_body(call.request));
  XET_TRY(const auto object, read_object(body));
  XET_TRY(const auto known, call.hub.lfs_file(call.repository, object.sha256));
  if (!known || known->size_bytes != object.size_bytes) {
    return refuse(Reason::kNoEntry, "the repository has no such object");
  }
  return lfs_answer(Json::object());
}

}  // namespace xet::http
