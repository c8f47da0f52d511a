#include "server/http/connection.h"

#include <fmt/format.h>

#include <array>
#include <chrono>

#include "server/http/access_log.h"
#include "server/http/address.h"
#include "server/http/hub_call.h"
#include "server/http/on_pool.h"
#include "server/http/route.h"
#include "server/http/streamers.h"
#include "server/http/target.h"

namespace xet::http {

namespace {

using std::chrono::steady_clock;

/// For a request whose header is not understood: as good as no request.
RequestHead no_head() {
  RequestHead out;
  out.keep_alive = false;
  return out;
}

uint64_t max_body(const App& app, const Route* route) {
  return route && route->max_body ? app.limits.*route->max_body : 0;
}

Answer no_such_route(const RouteMatch& match) {
  switch (match.kind) {
    case RouteMatch::Kind::kBadValue:
      return text_answer(400,
                         "the path has something else where 64 hex digits, or a shorter name, have to be");
    case RouteMatch::Kind::kWrongMethod: {
      Answer out = text_answer(405, "the path is there, the method is another one");
      out.headers.emplace_back("Allow", match.allow);
      return out;
    }
    case RouteMatch::Kind::kNoNamespace:
      return hub_error(404, "RepoNotFound", "Repository not found: its name has no namespace");
    default:
      return text_answer(404, "there is nothing under this path");
  }
}

/// What URLs in answers begin with; nullopt when the Host header is needed and unusable.
std::optional<std::string> base_url(const App& app, const RequestHead& head) {
  const bool has_host = is_valid_host(head.host);
  if (!has_host && (!head.host.empty() || !head.http_1_0)) return std::nullopt;
  if (!app.public_url.empty()) return app.public_url;
  if (!has_host) return app.fallback_url;
  return (app.tls ? "https://" : "http://") + head.host;
}

}  // namespace

Connection::Connection(App& app, std::shared_ptr<Stream> stream, bool is_admin)
    : app_(app), stream_(std::move(stream)), is_admin_(is_admin), input_(app.limits.header_bytes) {}

void Connection::stop() {
  stream_->post([self = shared_from_this()] {
    if (self->idle_) self->stream_->close();
  });
}

void Connection::cut_off() {
  stream_->post([self = shared_from_this()] { self->stream_->close(); });
}

Task<> Connection::serve() {
  stream_->set_deadline(steady_clock::now() + app_.limits.header);
  const IoOutcome shaken = co_await handshake(*stream_);
  bool goes_on = shaken.ok();
  for (bool first = true; goes_on; first = false) goes_on = co_await serve_one(first);
  stream_->close();
}

Task<Connection::HeadOutcome> Connection::read_head(RequestParser& parser, bool first) {
  idle_ = input_.empty();
  auto deadline = steady_clock::now() + (first || !idle_ ? app_.limits.header : app_.limits.keep_alive);
  bool begun = false;
  for (;;) {
    // Some clients send an empty line behind a body.
    while (!begun && as_chars(input_.unread()).starts_with("\r\n")) input_.consume(2);
    begun = begun || input_.unread().size() >= 2;
    if (begun) {
      const auto parsed = parser.parse_head(input_.unread());
      if (!parsed) {
        head_error_ = parsed.error().message;
        co_return parsed.error().code == ErrorCode::kRefused ? HeadOutcome::kTooLarge
                                                             : HeadOutcome::kMalformed;
      }
      input_.consume(parsed->consumed);
      if (parsed->complete) co_return HeadOutcome::kRead;
    }
    if (idle_ && app_.draining.load(std::memory_order_relaxed)) co_return HeadOutcome::kOver;
    const auto room = input_.room();
    if (room.empty()) {
      head_error_ = "the header is too large";
      co_return HeadOutcome::kTooLarge;
    }
    stream_->set_deadline(deadline);
    const IoOutcome got = co_await read_some(*stream_, room);
    if (!got.ok()) {
      co_return !idle_ && got.error == IoError::kTimedOut ? HeadOutcome::kTooSlow : HeadOutcome::kOver;
    }
    input_.filled(got.n_bytes);
    if (idle_ && !first) deadline = steady_clock::now() + app_.limits.header;
    idle_ = false;
  }
}

Task<bool> Connection::serve_one(bool first) {
  RequestParser parser(app_.limits.header_bytes);
  const HeadOutcome outcome = co_await read_head(parser, first);
  if (outcome == HeadOutcome::kOver) co_return false;
  idle_ = false;
  Request request;
  request.id = app_.next_request_id();
  std::optional<Answer> refused;
  switch (outcome) {
    case HeadOutcome::kTooLarge:
      refused = text_answer(431, head_error_);
      break;
    case HeadOutcome::kTooSlow:
      app_.metrics.timed_out.fetch_add(1, std::memory_order_relaxed);
      refused = text_answer(408, "the header came too slowly");
      break;
    case HeadOutcome::kMalformed:
      refused = text_answer(400, head_error_);
      break;
    default: {
      auto head = parser.head();
      if (head) {
        request.head = *std::move(head);
      } else {
        refused = text_answer(400, head.error().message);
      }
    }
  }
  if (refused) request.head = no_head();

  const auto begin = steady_clock::now();
  const auto time = app_.clock->wall_now();
  RouteMatch match;
  if (!refused) {
    const auto target = Target::parse(request.head.target);
    if (target) {
      request.path = target->path;
      request.query = target->query;
      match = find_route(request.head.method, target->path, is_admin_);
      if (match.kind == RouteMatch::Kind::kFound) {
        request.values = std::move(match.values);
      } else {
        refused = no_such_route(match);
        match.route = nullptr;
      }
    } else {
      refused = text_answer(400, target.error().message);
    }
  }
  BodyReader body(*stream_, input_, parser, request.head, app_.limits, max_body(app_, match.route),
                  match.route && match.route->takes_long ? kNever : begin + app_.limits.body);
  Exchange exchange(app_, *stream_, body, request, match.route);
  if (refused) {
    co_await exchange.answer(*refused);
  } else {
    co_await serve_request(exchange);
  }
  log(exchange, body, begin, time);
  co_return co_await settle(exchange, body);
}

Task<> Connection::serve_request(Exchange& exchange) {
  Request& request = exchange.request;
  const Route& route = *exchange.route;
  auto base = base_url(app_, request.head);
  if (!base) {
    const Answer bad_host = text_answer(400, "the Host header is missing, or no host");
    co_await exchange.answer(bad_host);
    co_return;
  }
  request.base_url = *std::move(base);
  const auto refused = authorise(app_, route, request.head, request.caller);
  if (refused) {
    co_await exchange.answer(*refused);
    co_return;
  }
  if (request.caller.hub_token != 0 && !co_await is_in_standing(exchange)) co_return;
  if (route.takes_slot) {
    auto held = co_await app_.slots.take(*stream_, 1, steady_clock::now() + app_.limits.slot_wait);
    if (!held) {
      app_.metrics.slots_refused.fetch_add(1, std::memory_order_relaxed);
      const Answer busy = busy_answer("too many uploads at once", app_.limits.retry_after);
      co_await exchange.answer(busy);
      co_return;
    }
    exchange.slot.emplace(*std::move(held));
  }
  if (route.streamer) {
    co_await route.streamer(exchange);
    co_return;
  }
  if (route.hub && route.max_body && !co_await is_admitted(exchange)) co_return;
  if (route.max_body && !co_await read_whole_body(exchange)) co_return;
  Answer answer;
  if (route.runs_on == RunsOn::kLoop) {
    answer = route.handler(app_, request);
  } else {
    auto& pool = route.runs_on == RunsOn::kSync ? *app_.sync : *app_.work;
    auto call = [&] { return route.hub ? answer_hub(app_, route, request) : route.handler(app_, request); };
    answer = co_await on_pool(pool, *stream_, call);
  }
  co_await exchange.answer(answer);
}

Task<bool> Connection::is_in_standing(Exchange& exchange) {
  const auto& caller = exchange.request.caller;
  const auto now = steady_clock::now();
  auto good = app_.standing.known(caller.who.repository, caller.hub_token, now);
  if (!app_.hub || good.value_or(false)) co_return true;
  Answer refused = text_answer(401, "the token was revoked, or its repository is gone");
  if (!good) {
    auto look = [&] {
      const auto found = app_.standing.look(*app_.hub, caller.who.repository, caller.hub_token, now);
      if (!found) refused = refused_answer(app_, exchange.request, found.error());
      return found.value_or(false);
    };
    good = co_await on_pool(*app_.work, *stream_, look);
  }
  if (*good) co_return true;
  co_await exchange.answer(refused);
  co_return false;
}

Task<bool> Connection::is_admitted(Exchange& exchange) {
  auto look = [&] { return refuse_hub(app_, *exchange.route, exchange.request); };
  const auto refused = co_await on_pool(*app_.work, *stream_, look);
  if (!refused) co_return true;
  co_await exchange.answer(*refused);
  co_return false;
}

Task<bool> Connection::settle(const Exchange& exchange, BodyReader& body) {
  if (exchange.is_abandoned()) co_return false;
  if (exchange.keeps_alive()) {
    // A little of a body that nobody asked for is read for the sake of the connection.
    std::array<std::byte, 4096> scratch;
    BodyTrouble trouble = BodyTrouble::kNone;
    while (!body.at_end() && trouble == BodyTrouble::kNone) {
      const auto piece = co_await body.read_away(scratch);
      trouble = piece.trouble;
    }
    if (trouble == BodyTrouble::kNone) co_return true;
    co_return false;
  }
  co_await linger();
  co_return false;
}

Task<> Connection::linger() {
  stream_->set_deadline(steady_clock::now() + app_.limits.linger);
  const IoOutcome finished = co_await finish_writing(*stream_);
  if (!finished.ok()) co_return;
  ByteVector scratch(64 * 1024);
  for (;;) {
    const IoOutcome got = co_await read_some(*stream_, scratch);
    if (!got.ok()) co_return;
  }
}

void Connection::log(const Exchange& exchange, const BodyReader& body, steady_clock::time_point begin,
                     std::chrono::system_clock::time_point time) {
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - begin);
  app_.metrics.answered(exchange.route, exchange.status(), took);
  app_.metrics.body_bytes_in.fetch_add(body.n_read(), std::memory_order_relaxed);
  app_.metrics.body_bytes_out.fetch_add(exchange.sent(), std::memory_order_relaxed);
  if (!app_.access_log) return;
  const auto& request = exchange.request;
  app_.access_log(access_line({.time = time,
                               .request_id = request.id,
                               .session_id = request.head.session_id,
                               .method = request.head.method,
                               .route = exchange.route ? exchange.route->path : std::string_view(),
                               .status = exchange.status(),
                               .bytes_in = body.n_read(),
                               .bytes_out = exchange.sent(),
                               .took = took,
                               .principal = request.caller.name}));
}

}  // namespace xet::http
