#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "server/http/answer.h"
#include "server/http/app.h"
#include "server/http/request.h"
#include "server/hub/hub.h"
#include "server/store/hub_store.h"

namespace xet::http {

/// A request to the Hub that was let through, for its handler.
struct HubCall {
  App& app;
  const Request& request;
  hub::Hub& hub;
  hub::Identity who;
  store::HubRepository repository;  ///< of routes with kHubRead and kHubWrite

  bool is_bucket() const { return repository.type == store::RepositoryType::kBucket; }
};

/// Finds out who is asking, whether he may, and for what; then runs the route's handler. This and the next
/// one are the only places that decide this for routes of the Hub. Blocks.
Answer answer_hub(App& app, const Route& route, Request& request);
/// The same without the handler, before a body is taken: why it is not. Blocks.
std::optional<Answer> refuse_hub(App& app, const Route& route, Request& request);

// --- What handlers have in common

/// An error as clients of a Hub understand it: status, X-Error-Code, X-Error-Message, and JSON.
Answer hub_error(int status, std::string_view code, std::string_view message);

/// The same for what the Hub refused; what clients are not told goes to the log.
Answer refused_answer(App& app, const Request& request, const hub::Refusal& refusal);

/// The first value of a query parameter; "" when there is none or it cannot be read.
std::string query_value(const Request& request, std::string_view name);
/// Whether a query parameter is "true", or "1"; `otherwise` when there is none.
bool query_flag(const Request& request, std::string_view name, bool otherwise = false);

/// "https://…/ns/name", "https://…/datasets/ns/name", "https://…/buckets/ns/name".
std::string page_url(const HubCall& call, const store::HubRepository& repository);
/// "https://…/api/models/ns/name".
std::string api_url(const HubCall& call);

/// "2026-11-25T16:24:10.123Z".
std::string hub_time(store::TimeMs time);
/// A text between quotes in a header, without what would end it.
std::string header_quoted(std::string_view text);

/// Adds `Link: <…>; rel="next"`: the request's own URL with another cursor.
void add_next_link(const HubCall& call, const std::string& next, Answer& answer);

}  // namespace xet::http
