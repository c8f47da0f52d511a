#include "cas/cas_server.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "cas/http_range.h"

namespace xet::testing {

using nlohmann::json;

namespace {

/// Runs a call of a store whose callbacks come before it returns.
template <class T, class Start>
Result<T> now(Start start) {
  std::optional<Result<T>> out;
  start([&](Result<T> result) { out.emplace(std::move(result)); });
  return std::move(out).value();
}

std::optional<cas::ByteRange> range_of(const SeenRequest& request) {
  if (!request.has_header("Range")) return std::nullopt;
  const auto text = request.header("Range");
  if (!text.starts_with("bytes=")) return std::nullopt;
  const auto parsed = cas::parse_content_range("bytes " + text.substr(6) + "/*");
  return parsed ? std::optional(parsed->bytes) : std::nullopt;
}

std::string last_segment(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

json chunk_range(const cas::ChunkRange& range) {
  return {{"start", range.begin}, {"end", range.end}};
}
json byte_range(const cas::ByteRange& range) {
  return {{"start", range.begin}, {"end", range.end - 1}};
}

int status_of(const Error& error) {
  return error.code == ErrorCode::kNotFound ? 404 : error.code == ErrorCode::kCorruption ? 400 : 500;
}

}  // namespace

CasServer::CasServer() : CasServer(Options()) {}
CasServer::CasServer(Options options) : options_(std::move(options)), store_(options_.store) {
  http_ = std::make_unique<HttpScript>(
      [this](Exchange& exchange) {
        if (const auto take = intercept.get(); take && take(exchange)) return;
        handle(exchange);
      },
      HttpScript::Options{.receive_buffer_bytes = options_.receive_buffer_bytes});
}

void CasServer::handle(Exchange& exchange) {
  const auto& request = exchange.request();
  const auto path = request.path();
  const auto begins = [&](std::string_view method, std::string_view prefix) {
    return request.method == method && path.starts_with(prefix);
  };
  const bool needs_token = path.starts_with("/v");
  if (needs_token == !request.has_header("Authorization") && options_.checks_tokens) {
    exchange.respond(needs_token ? 401 : 400);
    return;
  }
  if (needs_token && options_.checks_tokens && request.header("Authorization") != "Bearer " + token()) {
    exchange.respond(401);
    return;
  }
  if (begins("GET", "/v2/reconstructions/") && options_.has_v2) return reconstruct(exchange, 2);
  if (begins("GET", "/v1/reconstructions/")) return reconstruct(exchange, 1);
  if (begins("GET", "/data/")) return send_data(exchange);
  if (begins("POST", "/v1/xorb-grants/") && options_.has_grants) return grant(exchange);
  if (begins("PUT", "/upload/")) return upload(exchange);
  if (begins("POST", "/v1/xorb-commits/")) return commit(exchange);
  if (begins("POST", "/v1/xorbs/"))
    return take_xorb(exchange, XorbHash::from_hex(last_segment(path)).value());
  if (begins("POST", "/v2/shards") && options_.has_v2) return take_shard(exchange, 2);
  if (begins("POST", "/v1/shards")) return take_shard(exchange, 1);
  if (begins("GET", "/v1/chunks/")) {
    const auto chunk = ChunkHash::from_hex(last_segment(path)).value();
    const auto answer =
        now<std::optional<ByteVector>>([&](auto done) { store_.query_dedup(chunk, {}, std::move(done)); });
    if (answer && *answer) {
      exchange.respond(200, {}, ByteSpan(**answer));
      return;
    }
  }
  exchange.respond(404, {}, "nothing here");
}

void CasServer::reconstruct(Exchange& exchange, int version) {
  const auto file = FileHash::from_hex(last_segment(exchange.request().path())).value();
  const auto plan = now<cas::Reconstruction>(
      [&](auto done) { store_.reconstruct(file, range_of(exchange.request()), {}, std::move(done)); });
  if (!plan) {
    exchange.respond(status_of(plan.error()), {}, plan.error().message);
    return;
  }
  if (plan->terms.empty()) {
    exchange.respond(416);
    return;
  }
  json out{{"offset_into_first_range", plan->offset_into_first_term}, {"terms", json::array()}};
  for (const auto& term : plan->terms) {
    out["terms"].push_back({{"hash", term.xorb.hex()},
                            {"unpacked_length", term.unpacked_len},
                            {"range", chunk_range(term.chunks)}});
  }
  const auto url_of = [&](const XorbHash& xorb) {
    return fmt::format("{}/data/{}?serial={}&signature=SECRET", url(), xorb.hex(), next_url_++);
  };
  auto& all = out[version == 2 ? "xorbs" : "fetch_info"];
  for (const auto& [xorb, fetches] : plan->fetches) {
    auto& list = all[xorb.hex()] = json::array();
    json ranges = json::array();
    for (const auto& fetch : fetches) {
      ranges.push_back({{"chunks", chunk_range(fetch.chunks)}, {"bytes", byte_range(fetch.bytes)}});
      if (version == 1) {
        list.push_back({{"range", chunk_range(fetch.chunks)},
                        {"url", url_of(xorb)},
                        {"url_range", byte_range(fetch.bytes)}});
      }
    }
    if (version == 2) list.push_back({{"url", url_of(xorb)}, {"ranges", ranges}});
  }
  exchange.respond(200, {}, out.dump());
}

std::string CasServer::data_for(const Exchange& exchange) {
  const auto range = range_of(exchange.request()).value();
  const auto xorb = XorbHash::from_hex(last_segment(exchange.request().path())).value();
  return std::string(as_chars(ByteSpan(store_.packed(xorb)).subspan(range.begin, range.size())));
}

void CasServer::send_data(Exchange& exchange, const std::function<void(std::string&)>& change) {
  const auto& target = exchange.request().target;
  const auto serial = std::stoull(target.substr(target.find("serial=") + 7));
  const auto range = range_of(exchange.request());
  const auto is_good = is_url_good.get();
  if (!range || (is_good && !is_good(serial))) {
    exchange.respond(403, {}, "<Signature>SECRET</Signature>");
    return;
  }
  auto bytes = data_for(exchange);
  if (change) change(bytes);
  exchange.respond(206, {{"Content-Range", fmt::format("bytes {}-{}/*", range->begin, range->end - 1)}},
                   std::string_view(bytes));
}

void CasServer::take_xorb(Exchange& exchange, const XorbHash& xorb) {
  const auto& body = exchange.body();
  const auto outcome = now<cas::PutXorbOutcome>([&](auto done) {
    store_.put_xorb({.hash = xorb, .pieces = {ByteSpan(body)}, .size_bytes = body.size()}, {},
                    std::move(done));
  });
  if (!outcome) {
    exchange.respond(status_of(outcome.error()), {}, outcome.error().message);
    return;
  }
  exchange.respond(200, {}, json{{"was_inserted", outcome->was_inserted}}.dump());
}

void CasServer::take_shard(Exchange& exchange, int version) {
  const auto stored = now<void>([&](auto done) { store_.put_shard(exchange.body(), {}, std::move(done)); });
  if (version == 1) {
    exchange.respond(stored ? 200 : 400, {}, stored ? R"({"result":1})" : stored.error().message);
    return;
  }
  exchange.head(200, {{"Transfer-Encoding", "chunked"}});
  exchange.chunk("{\"type\":\"validating\",\"verified\":0,\"total\":1}\n");
  exchange.chunk(stored ? "{\"type\":\"result\"}\n"
                        : json{{"type", "error"}, {"message", stored.error().message}}.dump() + "\n");
  exchange.chunk("");
}

void CasServer::grant(Exchange& exchange) {
  const auto id = fmt::format("{}-{}", last_segment(exchange.request().path()), next_url_++);
  exchange.respond(201, {},
                   json{{"id", id},
                        {"method", "PUT"},
                        {"url", fmt::format("{}/upload/{}?signature=SECRET", url(), id)},
                        {"headers", {{"if-none-match", "*"}}}}
                       .dump());
}

void CasServer::upload(Exchange& exchange) {
  const auto id = last_segment(exchange.request().path());
  auto uploads = uploads_.lock();
  const bool is_new = uploads->try_emplace(id, exchange.body()).second;
  exchange.respond(is_new ? 200 : 412);
}

void CasServer::commit(Exchange& exchange) {
  const auto id = last_segment(exchange.request().path());
  ByteVector body;
  {
    auto uploads = uploads_.lock();
    const auto found = uploads->find(id);
    if (found == uploads->end()) {
      exchange.respond(404);
      return;
    }
    body = found->second;
  }
  const auto xorb = XorbHash::from_hex(id.substr(0, 64)).value();
  const auto outcome = now<cas::PutXorbOutcome>([&](auto done) {
    store_.put_xorb({.hash = xorb, .pieces = {ByteSpan(body)}, .size_bytes = body.size()}, {},
                    std::move(done));
  });
  exchange.respond(outcome ? 200 : status_of(outcome.error()));
}

}  // namespace xet::testing
