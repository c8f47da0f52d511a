#include "server/http/app.h"

#include <fmt/format.h>

#include <algorithm>

#include "server/http/route.h"

namespace xet::http {

namespace {

Answer unauthorized(std::string_view line) {
  Answer out = text_answer(401, line);
  out.headers.emplace_back("WWW-Authenticate", "Bearer");
  return out;
}

}  // namespace

std::optional<std::string_view> credentials_of(std::string_view authorization, std::string_view scheme) {
  const auto same = [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + ('a' - 'A')) : a) == b;
  };
  if (authorization.size() <= scheme.size() || authorization[scheme.size()] != ' ' ||
      !std::ranges::equal(authorization.substr(0, scheme.size()), scheme, same)) {
    return std::nullopt;
  }
  return authorization.substr(scheme.size() + 1);
}

Answer App::failed(const Request& request, const Error& error, Blame blame) {
  const int status = status_of(error.code, blame);
  if (status == 500) metrics.store_failures.fetch_add(1, std::memory_order_relaxed);
  if (status >= 500)
    report(fmt::format("request {}: {}: {}", request.id, to_string(error.code), error.message));
  return error_answer(error, blame, limits.retry_after);
}

uint64_t App::expiry_of_urls() const {
  const auto expiry = clock->wall_now() + limits.url_lifetime;
  // Rounded up, so that a URL for a second lives for one.
  return static_cast<uint64_t>(std::chrono::ceil<std::chrono::seconds>(expiry.time_since_epoch()).count());
}

std::string App::next_request_id() {
  // splitmix64, a bijection: no id comes twice.
  uint64_t z = request_id_seed_ + n_requests_.fetch_add(1, std::memory_order_relaxed) * 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return fmt::format("{:016x}", z ^ (z >> 31));
}

std::optional<Answer> authorise(const App& app, const Route& route, const RequestHead& head, Caller& caller) {
  if (route.access != Access::kRead && route.access != Access::kWrite) return std::nullopt;
  const auto token = credentials_of(head.authorization, "bearer").value_or(std::string_view());
  if (!app.auth) {
    caller.who.reads_every_file = true;
    caller.may_write = true;
    // Nobody needs a token, but one that the Hub gave out says which repository an upload is for.
    if (token.empty()) return std::nullopt;
    if (const auto claims = app.tokens->check(token)) caller.who.repository = claims->repository;
    return std::nullopt;
  }
  if (token.empty()) return unauthorized("this needs a token: 'Authorization: Bearer <token>'");
  const auto claims = app.tokens->check(token);
  if (!claims) {
    if (claims.error().code != ErrorCode::kUnauthorized) {
      app.report(fmt::format("checking a token: {}", claims.error().message));
      return error_answer(claims.error(), Blame::kStore, app.limits.retry_after);
    }
    return unauthorized(claims.error().message);
  }
  if (route.access == Access::kWrite && claims->scope != core::Scope::kWrite) {
    return text_answer(403, "the token allows reading only");
  }
  caller.who.repository = claims->repository;
  caller.may_write = claims->scope == core::Scope::kWrite;
  caller.name = claims->principal;
  caller.hub_token = claims->hub_token;
  return std::nullopt;
}

}  // namespace xet::http
