// Reconstructions, dedup queries, sizes: everything that only reads the store.
#include <fmt/format.h>

#include <algorithm>

#include "server/http/app.h"
#include "server/http/byte_ranges.h"
#include "server/http/handlers.h"
#include "server/http/json_in.h"
#include "server/http/json_out.h"

namespace xet::http {

namespace {

Answer past_the_end() {
  return text_answer(416, "the range lies outside the file");
}

UrlOf url_maker(const App& app, const Request& request) {
  return [&app, &request, expiry = app.expiry_of_urls()](
             const core::Reconstruction::Xorb& xorb, std::span<const core::Reconstruction::Range> ranges) {
    core::DataGrant grant{.xorb = xorb.row.hash,
                          .generation = xorb.row.generation,
                          .ranges = {},
                          .expires_at_s = expiry,
                          .repository = request.caller.who.repository};
    grant.ranges.reserve(ranges.size());
    for (const auto& range : ranges) grant.ranges.push_back(range.packed);
    return request.base_url + app.signer->path_and_query(grant);
  };
}

/// The wanted part of the file: nullopt for all of it, or the answer that ends the request.
struct WantedRange {
  std::optional<core::FileRange> range;
  std::optional<Answer> refused;
};

WantedRange wanted_range(App& app, const Request& request, const FileHash& file) {
  if (request.head.range.empty()) return {};
  const auto specs = parse_range_header(request.head.range, 1);
  if (!specs) return {.range = {}, .refused = text_answer(416, specs.error().message)};
  const auto& spec = specs->front();
  if (spec.first) {
    // The store cuts at the end, which need not be looked up for it.
    const uint64_t end = spec.last && *spec.last < UINT64_MAX ? *spec.last + 1 : UINT64_MAX;
    return {.range = core::FileRange{.begin = *spec.first, .end = end}, .refused = {}};
  }
  const auto size = app.service.file_size(request.caller.who, file);
  if (!size) return {.range = {}, .refused = app.failed(request, size.error(), Blame::kStore)};
  return {.range = core::FileRange{.begin = *size - std::min(*size, *spec.last), .end = *size},
          .refused = {}};
}

template <class ToJson>
Answer reconstruct(App& app, const Request& request, ToJson to_json) {
  const FileHash file(request.values.hash);
  const auto [range, refused] = wanted_range(app, request, file);
  if (refused) return *refused;
  const auto plan = app.service.reconstruct(request.caller.who, file, range, core::ChunkHashes::kNo);
  if (!plan) return app.failed(request, plan.error(), Blame::kStore);
  // Clients that do not know the size ask on until they are told that there is no more. The empty file has a
  // first byte to begin at all the same.
  if (plan->terms.empty() && range && !(file.is_zero() && range->begin == 0)) return past_the_end();
  Answer out = json_answer(to_json(*plan, url_maker(app, request)));
  out.headers.emplace_back("Cache-Control", "private, no-store");
  return out;
}

Answer reconstruct_batch(App& app, const Request& request, const Result<std::vector<FileHash>>& files) {
  if (!files) return app.failed(request, files.error(), Blame::kRequest);
  const auto batch = app.service.reconstruct_batch(request.caller.who, *files);
  if (!batch) return app.failed(request, batch.error(), Blame::kStore);
  Answer out = json_answer(batch_json(*batch, url_maker(app, request)));
  out.headers.emplace_back("Cache-Control", "private, no-store");
  return out;
}

}  // namespace

Answer reconstruct_v2(App& app, const Request& request) {
  return reconstruct(app, request, [](const core::Reconstruction& plan, const UrlOf& url_of) {
    return reconstruction_v2_json(plan, url_of, core::UrlSigner::kMaxRanges);
  });
}

Answer reconstruct_v1(App& app, const Request& request) {
  return reconstruct(app, request, reconstruction_v1_json);
}

Answer reconstruct_batch_of_query(App& app, const Request& request) {
  return reconstruct_batch(app, request, parse_batch_query(request.query, core::CasService::kMaxBatch));
}

Answer reconstruct_batch_of_body(App& app, const Request& request) {
  return reconstruct_batch(app, request, parse_batch_body(request.body, core::CasService::kMaxBatch));
}

Answer query_dedup(App& app, const Request& request) {
  // Chunks are found in the whole namespace, which a reader of one repository may not see. Only uploads need
  // them.
  if (!request.caller.may_write) return text_answer(404, "the chunk is not known");
  auto found = app.service.query_dedup(request.caller.who, ChunkHash(request.values.hash));
  if (!found) {
    // To a client the answer is worth little, so a store that has no time for it has none: 404, which is not
    // asked again.
    const bool busy =
        found.error().code == ErrorCode::kUnavailable || found.error().code == ErrorCode::kDeadline;
    if (!busy && found.error().code != ErrorCode::kNotFound) {
      return app.failed(request, found.error(), Blame::kStore);
    }
  }
  if (!found || !*found) {
    app.metrics.dedup_misses.fetch_add(1, std::memory_order_relaxed);
    return text_answer(404, "the chunk is not known");
  }
  app.metrics.dedup_hits.fetch_add(1, std::memory_order_relaxed);
  Answer out;
  out.content_type = kBytes;
  out.body = **std::move(found);
  return out;
}

Answer look_for_file(App& app, const Request& request) {
  const auto size = app.service.file_size(request.caller.who, FileHash(request.values.hash));
  if (!size) return app.failed(request, size.error(), Blame::kStore);
  Answer out;
  out.content_length = *size;
  return out;
}

Answer look_for_xorb(App& app, const Request& request) {
  const auto exists = app.service.xorb_exists(XorbHash(request.values.hash));
  if (!exists) return app.failed(request, exists.error(), Blame::kStore);
  return *exists ? Answer{} : text_answer(404, "the xorb is not in the store");
}

}  // namespace xet::http
