// Repositories as such.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/try.h"
#include "server/core/repository_name.h"
#include "server/http/hub_handlers.h"
#include "server/http/hub_json.h"

namespace xet::http {

namespace {

using hub::Done;
using hub::Outcome;
using hub::Reason;
using hub::refuse;
using store::HubRepository;
using store::RepositoryType;

constexpr size_t kPage = 1000;

Outcome<RepositoryType> type_in(const Json& body) {
  XET_TRY(const auto word, optional_text(body, "type"));
  if (!word) return RepositoryType::kModel;
  return known_type(*word);
}

/// "ns/name", or "name" alone with the namespace beside it, or nothing: the caller's own.
Outcome<NamedRepository> named(const HubCall& call, const Json& body) {
  NamedRepository out;
  XET_TRY(out.type, type_in(body));
  XET_TRY(out.name, text_member(body, "name"));
  XET_TRY(auto organization, optional_text(body, "organization"));
  if (const size_t slash = out.name.find('/'); slash != std::string::npos) {
    organization = out.name.substr(0, slash);
    out.name.erase(0, slash + 1);
  }
  out.name_space = organization ? *std::move(organization) : call.who.user;
  if (out.name_space == "me") out.name_space = call.who.user;
  return out;
}

Json summary_of(const HubRepository& repository) {
  Json out{{"_id", fmt::format("{:024x}", repository.id)},
           {"id", repository.full_name()},
           {"author", repository.name_space},
           {"private", repository.is_private},
           {"gated", false},
           {"disabled", false},
           {"createdAt", hub_time(repository.created)},
           {"lastModified", hub_time(repository.updated)},
           {"tags", Json::array()},
           {"downloads", 0},
           {"likes", 0}};
  if (repository.type == RepositoryType::kModel) out["modelId"] = repository.full_name();
  return out;
}

Json sibling_of(const hub::Entry& entry) {
  Json out{{"rfilename", entry.path}, {"size", entry.size_bytes}, {"blobId", entry.id.hex()}};
  if (entry.lfs) {
    out["lfs"] = {{"size", entry.lfs->size_bytes},
                  {"sha256", entry.lfs->sha256.hex()},
                  {"pointerSize", entry.pointer_bytes}};
  }
  return out;
}

}  // namespace

Outcome<Answer> hub_create_repository(HubCall& call) {
  XET_TRY(const auto body, json_body(call.request));
  XET_TRY(const auto wanted, named(call, body));
  if (wanted.type == RepositoryType::kBucket) {
    return refuse(Reason::kInvalid, "buckets are created at /api/buckets/NAMESPACE/NAME");
  }
  XET_TRY(const auto is_private, wants_private(body));
  XET_TRY(const auto created, call.hub.create(call.who, wanted.view(), is_private));
  const auto& repository = created.repository;
  Answer out = json_answer(Json{{"url", page_url(call, repository)},
                                {"name", repository.full_name()},
                                {"id", fmt::format("{:024x}", repository.id)}});
  if (!created.is_new) {
    out = json_answer(Json{{"error", "You already created this repository"},
                           {"url", page_url(call, repository)},
                           {"name", repository.full_name()},
                           {"id", fmt::format("{:024x}", repository.id)}});
    out.status = 409;
  }
  return out;
}

Outcome<Answer> hub_delete_repository(HubCall& call) {
  XET_TRY(const auto body, json_body(call.request));
  XET_TRY(const auto wanted, named(call, body));
  XET_TRY_STATUS(call.hub.remove(call.who, wanted.view()));
  return Answer();
}

Outcome<Answer> hub_move_repository(HubCall& call) {
  XET_TRY(const auto body, json_body(call.request));
  XET_TRY(const auto type, type_in(body));
  XET_TRY(const auto from, repository_member(type, body, "fromRepo"));
  XET_TRY(const auto to, repository_member(type, body, "toRepo"));
  XET_TRY_STATUS(call.hub.move(call.who, from.view(), to.view()));
  return json_answer(Json{{"success", true}});
}

Outcome<Answer> hub_change_settings(HubCall& call) {
  XET_TRY(const auto body, json_body(call.request));
  if (body.contains("gated") && body["gated"] != false) {
    return refuse(Reason::kNotHere, "this server has no gated repositories; make it private instead");
  }
  if (body.contains("private") || body.contains("visibility")) {
    XET_TRY(const auto is_private, wants_private(body));
    XET_TRY_STATUS(call.hub.set_private(call.repository, is_private));
    call.repository.is_private = is_private;
  }
  return json_answer(Json{{"private", call.repository.is_private}});
}

Outcome<Answer> hub_repository_info(HubCall& call) {
  const auto& name = call.request.values.revision;
  XET_TRY(const auto revision, call.hub.revision(call.repository, name.empty() ? "main" : name));
  XET_TRY(const auto commit, call.hub.commit(call.repository, revision.commit));
  Json out = summary_of(call.repository);
  out["sha"] = revision.commit.hex();
  out["lastModified"] = hub_time(commit.time_s * 1000);
  out["cardData"] = Json::object();
  Json siblings = Json::array();
  hub::ListOptions options{.recursive = true, .with_last_commit = false, .after = {}};
  do {
    XET_TRY(auto page, call.hub.list_tree(call.repository, revision, "", options));
    for (const auto& entry : page.items) {
      if (!entry.is_folder) siblings.push_back(sibling_of(entry));
    }
    options.after = std::move(page.next);
  } while (!options.after.empty());
  out["siblings"] = std::move(siblings);
  return json_answer(out);
}

Outcome<Answer> hub_list_repositories(HubCall& call) {
  size_t limit = kPage;
  if (const auto text = query_value(call.request, "limit"); !text.empty()) {
    limit = std::clamp<size_t>(static_cast<size_t>(std::strtoul(text.c_str(), nullptr, 10)), 1, kPage);
  }
  XET_TRY(const auto page,
          call.hub.list(call.who, call.request.values.type, query_value(call.request, "author"),
                        query_value(call.request, "search"), query_value(call.request, "cursor"), limit));
  Json out = Json::array();
  for (const auto& repository : page.items) out.push_back(summary_of(repository));
  return page_answer(call, out, page.next);
}

Outcome<Answer> hub_list_own_repositories(HubCall& call) {
  const auto& asked = call.request.values.name_space;
  const std::string name_space = asked.empty() ? call.who.user : asked;
  Json out = Json::array();
  for (const auto type :
       {RepositoryType::kModel, RepositoryType::kDataset, RepositoryType::kSpace, RepositoryType::kBucket}) {
    std::string after;
    do {
      XET_TRY(auto page, call.hub.list(call.who, type, name_space, "", after, kPage));
      for (const auto& repository : page.items) {
        Json one = summary_of(repository);
        one["type"] = core::type_word(type);
        one["name"] = repository.full_name();
        one["visibility"] = repository.is_private ? "private" : "public";
        one["storage"] = 0;
        one["storagePercent"] = 0;
        one["updatedAt"] = hub_time(repository.updated);
        out.push_back(std::move(one));
      }
      after = std::move(page.next);
    } while (!after.empty());
  }
  return json_answer(out);
}

Outcome<Answer> hub_auth_check(HubCall& /*call*/) {
  return json_answer(Json::object());
}

}  // namespace xet::http
