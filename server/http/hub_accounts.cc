// Who one is, and questions that have one answer.
#include <nlohmann/json.hpp>

#include "base/try.h"
#include "server/http/hub_handlers.h"
#include "server/http/hub_json.h"

namespace xet::http {

hub::Outcome<Answer> hub_whoami(HubCall& call) {
  const auto& who = call.who;
  Json organizations = Json::array();
  for (const auto& name_space : who.name_spaces) {
    if (name_space != who.user) organizations.push_back({{"name", name_space}, {"type", "org"}});
  }
  const bool may_write = who.role != store::TokenRole::kRead;
  return json_answer(Json{
      {"type", "user"},
      {"id", who.user},
      {"name", who.user},
      {"fullname", who.user},
      {"email", nullptr},
      {"emailVerified", true},
      {"isPro", false},
      {"canPay", false},
      {"orgs", std::move(organizations)},
      {"auth",
       {{"type", "access_token"},
        {"accessToken", {{"displayName", who.user}, {"role", may_write ? "write" : "read"}}}}},
  });
}

hub::Outcome<Answer> hub_harnesses(HubCall& /*call*/) {
  return json_answer(Json{{"standardEnvVars", Json::array()}, {"harnesses", Json::object()}});
}

hub::Outcome<Answer> hub_validate_yaml(HubCall& call) {
  // Model cards are text to this server; their YAML means something to a web page that it does not have.
  XET_TRY([[maybe_unused]] const auto body, json_body(call.request));
  return json_answer(Json{{"errors", Json::array()}, {"warnings", Json::array()}});
}

}  // namespace xet::http
