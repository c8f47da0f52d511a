// Tokens of the CAS for whoever may read, or write, a repository.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/try.h"
#include "server/core/repository_name.h"
#include "server/core/tokens.h"
#include "server/http/hub_handlers.h"
#include "server/http/hub_json.h"

namespace xet::http {

namespace {

using hub::Outcome;

Outcome<Answer> token(HubCall& call, core::Scope scope) {
  // The word None stands for no revision: the upload becomes a commit of whatever branch.
  const auto& revision = call.request.values.revision;
  if (!call.is_bucket() && !revision.empty() && revision != "None") {
    XET_TRY([[maybe_unused]] const auto known, call.hub.revision(call.repository, revision));
  }
  const uint64_t expires = call.app.expiry_of_urls();
  XET_TRY(const auto text, call.app.tokens->issue(
                               {.repository = call.repository.id,
                                .repository_name = fmt::format("{}/{}", core::type_word(call.repository.type),
                                                               call.repository.full_name()),
                                .scope = scope,
                                .expires_at_s = expires,
                                .principal = call.who.user,
                                .id = call.request.id,
                                .hub_token = call.who.token_id}));
  const auto& url = call.request.base_url;
  Answer out = json_answer(Json{{"accessToken", text}, {"exp", expires}, {"casUrl", url}});
  out.headers.emplace_back("X-Xet-Access-Token", text);
  out.headers.emplace_back("X-Xet-Token-Expiration", fmt::format("{}", expires));
  out.headers.emplace_back("X-Xet-Cas-Url", url);
  out.headers.emplace_back("Cache-Control", "private, no-store");
  return out;
}

}  // namespace

Outcome<Answer> hub_read_token(HubCall& call) {
  return token(call, core::Scope::kRead);
}

Outcome<Answer> hub_write_token(HubCall& call) {
  return token(call, core::Scope::kWrite);
}

}  // namespace xet::http
