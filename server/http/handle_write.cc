// Grants, commits and shards; the bodies of xorbs are in take_xorb.cc.
#include <fmt/format.h>

#include "format/xorb_footer.h"
#include "server/http/app.h"
#include "server/http/handlers.h"
#include "server/http/json_in.h"
#include "server/http/json_out.h"

namespace xet::http {

Answer grant_upload(App& app, const Request& request) {
  const auto wish = GrantRequest::parse(request.body);
  if (!wish) return app.failed(request, wish.error(), Blame::kRequest);
  const XorbHash xorb(request.values.hash);
  if (wish->length == 0 || wish->length > app.limits.xorb_body_bytes) {
    return text_answer(400, fmt::format("a xorb of {} bytes; it may have 1 to {}", wish->length,
                                        app.limits.xorb_body_bytes));
  }
  const auto exists = app.service.xorb_exists(xorb);
  if (!exists) return app.failed(request, exists.error(), Blame::kStore);
  if (*exists) {
    app.metrics.xorbs_granted.fetch_add(1, std::memory_order_relaxed);
    return {};
  }
  const auto id = app.signer->grant_id({.xorb = xorb,
                                        .repository = request.caller.who.repository,
                                        .length = wish->length,
                                        .crc64 = wish->crc64,
                                        .expires_at_s = app.expiry_of_urls()});
  Answer out = json_answer(fmt::format(
      R"({{"id":"{0}","method":"PUT","url":"{1}/v1/xorb-uploads/{0}","headers":{{"if-none-match":"*"}}}})",
      id, request.base_url));
  out.status = 201;
  out.headers.emplace_back("Cache-Control", "private, no-store");
  return out;
}

Answer commit_upload(App& app, const Request& request) {
  // What was put is stored already, so the id says nothing that matters; whoever stored it, the xorb is
  // there.
  const auto exists = app.service.xorb_exists(XorbHash(request.values.hash));
  if (!exists) return app.failed(request, exists.error(), Blame::kStore);
  return *exists ? Answer{} : text_answer(404, "nothing was uploaded for this grant");
}

Answer shard_refused(App& app, const Request& request, const Error& error) {
  if (error.code == ErrorCode::kNotFound) {
    app.metrics.stale_references.fetch_add(1, std::memory_order_relaxed);
    return text_answer(
        400,
        fmt::format("unknown xorb: {}. The client remembers data that this store does not have; remove its "
                    "shard cache (for hf-xet: ~/.cache/huggingface/xet/*/shard-cache) and upload again",
                    error.message));
  }
  if (error.code == ErrorCode::kCorruption) app.metrics.bad_shards.fetch_add(1, std::memory_order_relaxed);
  return app.failed(request, error, Blame::kRequest);
}

void count_shard(App& app, const core::PutShardOutcome& outcome) {
  auto& counter = outcome.is_new ? app.metrics.shards_new : app.metrics.shards_known;
  counter.fetch_add(1, std::memory_order_relaxed);
}

Answer take_shard(App& app, const Request& request) {
  const auto outcome = app.service.put_shard(request.caller.who, request.body, {}, app.cut_off.get_token());
  if (!outcome) return shard_refused(app, request, outcome.error());
  count_shard(app, *outcome);
  return json_answer(
      fmt::format(R"({{"result":{},"shard_hash":"{}"}})", outcome->is_new ? 1 : 0, outcome->stored_as.hex()));
}

Answer drop_telemetry(App& app, const Request& /*request*/) {
  app.metrics.telemetry.fetch_add(1, std::memory_order_relaxed);
  return {};
}

}  // namespace xet::http
