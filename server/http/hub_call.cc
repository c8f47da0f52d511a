#include "server/http/hub_call.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "base/text.h"
#include "base/try.h"
#include "server/core/repository_name.h"
#include "server/http/route.h"
#include "server/http/target.h"

namespace xet::http {

namespace {

using hub::Identity;
using hub::Reason;
using store::RepositoryType;

constexpr std::string_view kMe = "me";
constexpr size_t kMaxHeaderText = 500;

/// The token that a request shows: as it is, or as the password of whatever user. nullopt: something else.
std::optional<std::string> token_of(std::string_view authorization) {
  if (const auto bearer = credentials_of(authorization, "bearer")) return std::string(*bearer);
  const auto basic = credentials_of(authorization, "basic");
  if (!basic) return std::nullopt;
  const auto text = from_base64(*basic);
  if (!text) return std::nullopt;
  const auto user_and_password = as_chars(*text);
  const size_t colon = user_and_password.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  return std::string(user_and_password.substr(colon + 1));
}

hub::Outcome<Identity> identify(const App& app, const Request& request) {
  if (!app.auth) return hub::Accounts::local();
  if (request.head.authorization.empty()) return hub::Accounts::nobody();
  const auto token = token_of(request.head.authorization);
  if (!token) return hub::refuse(Reason::kBadCredentials, "Invalid credentials in Authorization header");
  return app.hub->accounts().identify(*token);
}

std::string header_text(std::string_view text) {
  std::string out(text.substr(0, kMaxHeaderText));
  for (char& c : out) {
    if (c < 0x20 || c > 0x7e) c = c == '\n' ? ' ' : '?';
  }
  return out;
}

std::string_view code_of(Reason reason) {
  switch (reason) {
    case Reason::kNoRepository:
      return "RepoNotFound";
    case Reason::kNoRevision:
      return "RevisionNotFound";
    case Reason::kNoEntry:
      return "EntryNotFound";
    default:
      return {};
  }
}

int status_of(Reason reason) {
  switch (reason) {
    case Reason::kInvalid:
      return 400;
    case Reason::kBadCredentials:
      return 401;
    case Reason::kForbidden:
      return 403;
    case Reason::kNoRepository:
    case Reason::kNoRevision:
    case Reason::kNoEntry:
      return 404;
    case Reason::kExists:
      return 409;
    case Reason::kMoved:
      return 412;
    case Reason::kTooLarge:
      return 413;
    case Reason::kBadPath:
      return 422;
    case Reason::kNotHere:
      return 501;
    case Reason::kStore:
      return 500;
  }
  return 500;
}

tl::expected<HubCall, Answer> admit(App& app, const Route& route, Request& request) {
  const auto refused = [&](const hub::Refusal& refusal) {
    return tl::unexpected<Answer>(refused_answer(app, request, refusal));
  };
  if (!app.hub) return tl::unexpected<Answer>(text_answer(404, "there is nothing under this path"));
  auto who = identify(app, request);
  if (!who) return refused(who.error());
  request.caller.name = who->user;
  HubCall call{.app = app, .request = request, .hub = *app.hub, .who = *std::move(who), .repository = {}};
  if (route.access != Access::kHubOpen && route.access != Access::kHubRead && call.who.is_anonymous()) {
    return refused(hub::Refusal(Reason::kBadCredentials, "this needs a token"));
  }
  auto& values = request.values;
  if (values.name_space == kMe) values.name_space = call.who.user;
  if (route.access == Access::kHubRead || route.access == Access::kHubWrite) {
    auto found = app.hub->find(
        call.who, {.type = values.type, .name_space = values.name_space, .name = values.repository},
        route.access == Access::kHubWrite ? hub::Right::kWrite : hub::Right::kRead);
    if (!found) return refused(found.error());
    call.repository = *std::move(found);
  }
  return call;
}

}  // namespace

Answer refused_answer(App& app, const Request& request, const hub::Refusal& refusal) {
  if (refusal.reason == Reason::kStore) return app.failed(request, refusal.store, Blame::kStore);
  Answer out = hub_error(status_of(refusal.reason), code_of(refusal.reason), refusal.message);
  if (refusal.reason == Reason::kBadCredentials) {
    // Git asks for a password only when it is told that one would do.
    out.headers.emplace_back("WWW-Authenticate", "Basic realm=\"the token as password\"");
  }
  return out;
}

Answer answer_hub(App& app, const Route& route, Request& request) {
  auto call = admit(app, route, request);
  if (!call) return std::move(call).error();
  auto answer = route.hub(*call);
  return answer ? *std::move(answer) : refused_answer(app, request, answer.error());
}

std::optional<Answer> refuse_hub(App& app, const Route& route, Request& request) {
  auto call = admit(app, route, request);
  if (call) return std::nullopt;
  return std::move(call).error();
}

Answer hub_error(int status, std::string_view code, std::string_view message) {
  Answer out = json_answer(
      nlohmann::json{{"error", message}}.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  out.status = status;
  if (!code.empty()) out.headers.emplace_back("X-Error-Code", code);
  out.headers.emplace_back("X-Error-Message", header_text(message));
  return out;
}

std::string query_value(const Request& request, std::string_view name) {
  auto values = form_values(request.query, name);
  return values && !values->empty() ? std::move(values->front()) : std::string();
}

bool query_flag(const Request& request, std::string_view name, bool otherwise) {
  const auto value = query_value(request, name);
  if (value.empty()) return otherwise;
  return value == "true" || value == "True" || value == "1";
}

std::string page_url(const HubCall& call, const store::HubRepository& repository) {
  const bool is_model = repository.type == RepositoryType::kModel;
  return fmt::format("{}/{}{}{}", call.request.base_url, is_model ? "" : core::type_word(repository.type),
                     is_model ? "" : "s/", repository.full_name());
}

std::string api_url(const HubCall& call) {
  return fmt::format("{}/api/{}s/{}", call.request.base_url, core::type_word(call.repository.type),
                     call.repository.full_name());
}

std::string hub_time(store::TimeMs time) {
  return log_time(std::chrono::system_clock::time_point(std::chrono::milliseconds(time)));
}

std::string header_quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) out.push_back(c < 0x20 || c > 0x7e || c == '"' || c == '\\' ? '_' : c);
  out.push_back('"');
  return out;
}

void add_next_link(const HubCall& call, const std::string& next, Answer& answer) {
  if (next.empty()) return;
  std::string query;
  std::string_view rest = call.request.query;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('&'), rest.size());
    const auto pair = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (!pair.empty() && !pair.starts_with("cursor=")) query += std::string(pair) + "&";
  }
  answer.headers.emplace_back("Link", fmt::format("<{}{}?{}cursor={}>; rel=\"next\"", call.request.base_url,
                                                  call.request.path, query, percent_encode(next)));
}

}  // namespace xet::http
