// Branches, tags, commits.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/try.h"
#include "server/http/hub_handlers.h"
#include "server/http/hub_json.h"

namespace xet::http {

namespace {

using hub::Outcome;

constexpr std::string_view kHeads = "refs/heads/";
constexpr std::string_view kTags = "refs/tags/";
constexpr size_t kCommitsPage = 50;

Json refs_below(const std::vector<store::Ref>& refs, std::string_view folder) {
  Json out = Json::array();
  for (const auto& ref : refs) {
    if (!ref.name.starts_with(folder)) continue;
    out.push_back(
        {{"name", ref.name.substr(folder.size())}, {"ref", ref.name}, {"targetCommit", ref.commit.hex()}});
  }
  return out;
}

/// The text in HTML, where nothing of it is markup.
std::string html_of(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

/// The body, where clients may leave it away.
Outcome<Json> body_or_nothing(const Request& request) {
  if (request.body.empty()) return Json(Json::object());
  return json_body(request);
}

}  // namespace

Outcome<Answer> hub_refs(HubCall& call) {
  XET_TRY(const auto refs, call.hub.refs(call.repository));
  return json_answer(Json{{"branches", refs_below(refs, kHeads)},
                          {"converts", refs_below(refs, "refs/convert/")},
                          {"tags", refs_below(refs, kTags)},
                          {"pullRequests", refs_below(refs, "refs/pr/")}});
}

Outcome<Answer> hub_commits(HubCall& call) {
  XET_TRY(const auto revision, call.hub.revision(call.repository, call.request.values.revision));
  XET_TRY(const auto page,
          call.hub.commits(call.repository, revision, query_value(call.request, "cursor"), kCommitsPage));
  const bool is_formatted = query_value(call.request, "expand[]") == "formatted";
  Json out = Json::array();
  for (const auto& [id, commit] : page.items) {
    Json one{{"id", id.hex()},
             {"title", commit.title()},
             {"message", commit.description()},
             {"date", hub_time(commit.time_s * 1000)},
             {"authors", Json::array({Json{{"user", commit.author}}})}};
    if (is_formatted)
      one["formatted"] = {{"title", html_of(commit.title())}, {"message", html_of(commit.description())}};
    out.push_back(std::move(one));
  }
  return page_answer(call, out, page.next);
}

Outcome<Answer> hub_create_branch(HubCall& call) {
  XET_TRY(const auto body, body_or_nothing(call.request));
  XET_TRY(const auto start, optional_text(body, "startingPoint"));
  XET_TRY(const auto revision, call.hub.revision(call.repository, start.value_or("main")));
  XET_TRY_STATUS(call.hub.create_ref(call.repository, kHeads, call.request.values.revision, revision.commit));
  return json_answer(Json::object());
}

Outcome<Answer> hub_delete_branch(HubCall& call) {
  XET_TRY_STATUS(call.hub.delete_ref(call.repository, kHeads, call.request.values.revision));
  return json_answer(Json::object());
}

Outcome<Answer> hub_create_tag(HubCall& call) {
  XET_TRY(const auto body, json_body(call.request));
  XET_TRY(const auto tag, text_member(body, "tag"));
  XET_TRY(const auto revision, call.hub.revision(call.repository, call.request.values.revision));
  XET_TRY_STATUS(call.hub.create_ref(call.repository, kTags, tag, revision.commit));
  return json_answer(Json::object());
}

Outcome<Answer> hub_delete_tag(HubCall& call) {
  XET_TRY_STATUS(call.hub.delete_ref(call.repository, kTags, call.request.values.revision));
  return json_answer(Json::object());
}

Outcome<Answer> hub_squash(HubCall& call) {
  XET_TRY(const auto body, body_or_nothing(call.request));
  XET_TRY(const auto message, optional_text(body, "message"));
  XET_TRY_STATUS(call.hub.squash(call.who, call.repository, call.request.values.revision,
                                 message.value_or("Squash the history")));
  return json_answer(Json::object());
}

}  // namespace xet::http
