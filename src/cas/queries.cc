#include "cas/queries.h"

#include <fmt/format.h>

#include <memory>
#include <string>

#include "cas/call.h"
#include "cas/http_range.h"
#include "cas/url_table.h"
#include "cas/wire_reconstruction.h"
#include "net/url.h"

namespace xet::cas {

using net::Route;
using net::Verdict;

namespace {

// A shard of the dedup answer for one xorb of 8,192 chunks takes half a MiB; servers may answer with more.
constexpr size_t kMaxDedupAnswerBytes = size_t{64} << 20;

tl::unexpected<Error> failed(const CallEnd& end, std::string_view object) {
  return fail(end.error, object);
}

/// Parses a successful answer with `parse` into the returned place; leaves other answers to the rules. A body
/// that does not parse is worth another try: it may be of a proxy that broke.
template <class T, class Parse>
std::shared_ptr<std::optional<T>> parse_into(CallPlan& plan, Parse parse) {
  auto place = std::make_shared<std::optional<T>>();
  plan.judge = [place, parse, route = plan.route](net::Outcome& outcome) -> std::optional<Judgement> {
    if (!outcome || net::judge(route, outcome->head.status) != Verdict::kSuccess) return std::nullopt;
    auto parsed = parse(outcome->body);
    outcome->body = {};
    if (!parsed) return Judgement{Verdict::kRetry, std::move(parsed).error()};
    *place = std::move(*parsed);
    return Judgement{};
  };
  return place;
}

// --- Reconstructions

/// nullopt: nothing at or after the begin of the range.
using WireAnswer = std::optional<WireReconstruction>;

void ask_wire_reconstruction(HttpContext& context, int version, const FileHash& file,
                             std::optional<ByteRange> range, const std::stop_token& stop,
                             Callback<WireAnswer> done) {
  CallPlan plan;
  plan.route = version == 1 ? Route::kReconstructV1 : Route::kReconstructV2;
  plan.label = fmt::format("GET /v{}/reconstructions/{{file}}", version);
  plan.judges_on_pool = true;
  plan.request = [url = context.url(fmt::format("/v{}/reconstructions/{}", version, file.hex())), range] {
    net::Request request;
    request.url = url;
    if (range) request.headers.push_back({"Range", range_value(*range)});
    request.max_body_bytes = kMaxReconstructionBytes;
    return request;
  };
  auto parsed =
      parse_into<WireReconstruction>(plan, version == 1 ? parse_reconstruction_v1 : parse_reconstruction_v2);
  Call::start(
      context, std::move(plan), stop,
      [&context, version, file, range, stop, parsed, done = std::move(done)](const CallEnd& end) mutable {
        const bool is_forced = context.options.reconstruction_api_version.has_value();
        switch (end.verdict) {
          case Verdict::kSuccess:
            if (!is_forced && version == 1) context.reconstruction_is_v1.store(true);
            return done(std::move(*parsed));
          case Verdict::kEndOfFile:
            return done(WireAnswer{});
          case Verdict::kFallBack:
            if (is_forced || version == 1) break;
            return ask_wire_reconstruction(context, 1, file, range, stop, std::move(done));
          default:
            break;
        }
        done(failed(end, "file " + file.hex()));
      });
}

/// By the version that the server is known to have, or the newer one first.
void ask_wire_reconstruction(HttpContext& context, const FileHash& file, std::optional<ByteRange> range,
                             const std::stop_token& stop, Callback<WireAnswer> done) {
  int version = context.reconstruction_is_v1.load() ? 1 : 2;
  if (const auto forced = context.options.reconstruction_api_version) version = static_cast<int>(*forced);
  ask_wire_reconstruction(context, version, file, range, stop, std::move(done));
}

/// The ranges to fetch of the xorbs that the terms use.
Reconstruction assemble(uint64_t offset, std::vector<Term> terms, const FetchLayout& layout,
                        const std::shared_ptr<UrlTable>& table) {
  Reconstruction out{.offset_into_first_term = offset, .terms = std::move(terms), .fetches = {}};
  for (const auto& term : out.terms) out.fetches.try_emplace(term.xorb);
  for (size_t i = 0; i < layout.entries.size(); ++i) {
    const auto& entry = layout.entries[i];
    const auto fetches = out.fetches.find(entry.xorb);
    if (fetches == out.fetches.end()) continue;
    fetches->second.push_back({.chunks = entry.chunks,
                               .bytes = entry.bytes,
                               .ticket = std::make_shared<HttpTicket>(table, i),
                               .chunk_hashes = {}});
  }
  return out;
}

Result<Reconstruction> to_reconstruction(HttpContext& context, WireReconstruction wire, const FileHash& file,
                                         const std::optional<ByteRange>& range) {
  XET_TRY(auto layout, make_layout(std::move(wire.fetches)));
  auto table = std::make_shared<UrlTable>(layout, [&context, file, range](const std::stop_token& stop,
                                                                          Callback<FetchLayout> done) {
    ask_wire_reconstruction(
        context, file, range, stop,
        [token = context.in_flight.token(), file, done = std::move(done)](Result<WireAnswer> answer) mutable {
          if (!answer) return done(tl::unexpected(std::move(answer).error()));
          if (!*answer) {
            return done(fail(ErrorCode::kCorruption,
                             fmt::format("file {}: the store answered before, and says now that the file "
                                         "is shorter",
                                         file.hex())));
          }
          done(make_layout(std::move((*answer)->fetches)));
        });
  });
  return assemble(wire.offset_into_first_term, std::move(wire.terms), layout, table);
}

// --- HEAD /v1/files

enum class Presence : uint8_t { kThere, kMissing, kNotTold };
struct FileHead {
  Presence presence = Presence::kNotTold;
  std::optional<uint64_t> size_bytes;
};

/// The service has no such route; then it answers 404, 405 or 501, and nothing is learnt.
void ask_file_head(HttpContext& context, const FileHash& file, const std::stop_token& stop,
                   Callback<FileHead> done) {
  CallPlan plan;
  plan.route = Route::kFileSize;
  plan.label = "HEAD /v1/files/{file}";
  plan.request = [url = context.url("/v1/files/" + file.hex())] {
    net::Request request;
    request.method = "HEAD";
    request.url = url;
    return request;
  };
  auto head = std::make_shared<FileHead>();
  plan.judge = [head](net::Outcome& outcome) -> std::optional<Judgement> {
    if (!outcome) return std::nullopt;
    const int status = outcome->head.status;
    if (status == 405 || status == 416 || status == 501) return Judgement{};  // cannot say
    if (status == 404) {
      head->presence = Presence::kMissing;
      return Judgement{};
    }
    if (!outcome->is_success()) return std::nullopt;
    head->presence = Presence::kThere;
    head->size_bytes = parse_decimal(net::find_header(outcome->head.headers, "Content-Length").value_or(""));
    return Judgement{};
  };
  Call::start(context, std::move(plan), stop,
              [file, head, done = std::move(done)](const CallEnd& end) mutable {
                if (end.verdict == Verdict::kSuccess) return done(*head);
                done(failed(end, "file " + file.hex()));
              });
}

tl::unexpected<Error> unknown_file(const HttpContext& context, const FileHash& file) {
  return fail(ErrorCode::kNotFound, fmt::format("file {}: {} does not have it", file.hex(),
                                                net::host_of(context.options.endpoint)));
}

}  // namespace

void ask_file_size(HttpContext& context, const FileHash& file, const std::stop_token& stop,
                   Callback<uint64_t> done) {
  auto finish = [token = context.in_flight.token(), done = std::move(done)](Result<uint64_t> size) mutable {
    done(std::move(size));
  };
  if (file.is_zero()) return finish(uint64_t{0});
  auto by_reconstruction = [&context, file, stop](auto end, bool head_was_missing) {
    ask_wire_reconstruction(
        context, file, std::nullopt, stop,
        [&context, file, head_was_missing, end = std::move(end)](Result<WireAnswer> answer) mutable {
          if (!answer) return end(tl::unexpected(std::move(answer).error()));
          if (!*answer) {
            if (head_was_missing) return end(unknown_file(context, file));
            return end(uint64_t{0});
          }
          // It worked where HEAD did not: there is no such route here.
          if (head_was_missing) context.has_no_file_heads.store(true);
          uint64_t size = 0;
          for (const auto& term : (*answer)->terms) size += term.unpacked_len;
          end(size);
        });
  };
  if (context.has_no_file_heads.load()) return by_reconstruction(std::move(finish), false);
  ask_file_head(context, file, stop,
                [by_reconstruction, finish = std::move(finish)](Result<FileHead> head) mutable {
                  if (!head) return finish(tl::unexpected(std::move(head).error()));
                  if (head->size_bytes) return finish(*head->size_bytes);
                  by_reconstruction(std::move(finish), head->presence == Presence::kMissing);
                });
}

void ask_reconstruction(HttpContext& context, const FileHash& file, std::optional<ByteRange> range,
                        const std::stop_token& stop, Callback<Reconstruction> done) {
  auto finish = [token = context.in_flight.token(),
                 done = std::move(done)](Result<Reconstruction> out) mutable { done(std::move(out)); };
  if (file.is_zero() || (range && range->begin >= range->end)) return finish(Reconstruction{});
  ask_wire_reconstruction(
      context, file, range, stop,
      [&context, file, range, stop, finish = std::move(finish)](Result<WireAnswer> answer) mutable {
        if (!answer) return finish(tl::unexpected(std::move(answer).error()));
        if (*answer) {
          auto out = to_reconstruction(context, std::move(**answer), file, range);
          return finish(out ? std::move(out) : fail(out.error(), "file " + file.hex()));
        }
        if (range && range->begin > 0) return finish(Reconstruction{});
        // Some servers say 416 of files that they do not know.
        ask_file_head(context, file, stop,
                      [&context, file, finish = std::move(finish)](Result<FileHead> head) mutable {
                        if (!head) return finish(tl::unexpected(std::move(head).error()));
                        if (head->presence == Presence::kMissing) return finish(unknown_file(context, file));
                        finish(Reconstruction{});
                      });
      });
}

namespace {

using BatchAnswer = std::vector<std::pair<FileHash, Reconstruction>>;

void ask_wire_batch(HttpContext& context, const std::vector<FileHash>& files, const std::stop_token& stop,
                    Callback<WireBatch> done) {
  std::string query = "/v1/reconstructions?";
  for (const auto& file : files) query += (query.back() == '?' ? "file_id=" : "&file_id=") + file.hex();
  CallPlan plan;
  plan.route = Route::kReconstructV1;
  plan.label = "GET /v1/reconstructions";
  plan.judges_on_pool = true;
  plan.request = [url = context.url(query)] {
    net::Request request;
    request.url = url;
    request.max_body_bytes = kMaxReconstructionBytes;
    return request;
  };
  auto parsed = parse_into<WireBatch>(plan, parse_batch_reconstruction);
  Call::start(context, std::move(plan), stop, [parsed, done = std::move(done)](CallEnd end) mutable {
    if (end.verdict == Verdict::kSuccess) return done(std::move(**parsed));
    done(tl::unexpected(std::move(end.error)));
  });
}

}  // namespace

void ask_reconstructions(HttpContext& context, const std::vector<FileHash>& files,
                         const std::stop_token& stop, Callback<BatchAnswer> done) {
  ask_wire_batch(context, files, stop,
                 [&context, files, token = context.in_flight.token(),
                  done = std::move(done)](Result<WireBatch> batch) mutable {
                   if (!batch) return done(tl::unexpected(std::move(batch).error()));
                   auto layout = make_layout(std::move(batch->fetches));
                   if (!layout) return done(tl::unexpected(std::move(layout).error()));
                   auto table = std::make_shared<UrlTable>(
                       *layout,
                       [&context, files](const std::stop_token& refresh_stop, Callback<FetchLayout> landed) {
                         ask_wire_batch(context, files, refresh_stop,
                                        [again = context.in_flight.token(),
                                         landed = std::move(landed)](Result<WireBatch> answer) mutable {
                                          if (!answer)
                                            return landed(tl::unexpected(std::move(answer).error()));
                                          landed(make_layout(std::move(answer->fetches)));
                                        });
                       });
                   BatchAnswer out;
                   for (auto& [file, terms] : batch->files)
                     out.emplace_back(file, assemble(0, std::move(terms), *layout, table));
                   done(std::move(out));
                 });
}

// --- Hints

void ask_dedup(HttpContext& context, const ChunkHash& chunk, std::stop_token stop,
               Callback<std::optional<ByteVector>> done) {
  CallPlan plan;
  plan.route = Route::kDedupQuery;
  plan.max_retries = 1;  // the upload goes on without, and soon
  plan.label = "GET /v1/chunks/{prefix}/{chunk}";
  plan.request = [url = context.url(fmt::format("/v1/chunks/{}/{}", context.options.prefix, chunk.hex()))] {
    net::Request request;
    request.url = url;
    request.max_body_bytes = kMaxDedupAnswerBytes;
    return request;
  };
  auto answer = std::make_shared<std::optional<ByteVector>>();
  plan.judge = [answer](net::Outcome& outcome) -> std::optional<Judgement> {
    if (!outcome || outcome->head.status != 200) return std::nullopt;
    if (!outcome->body.empty()) *answer = std::move(outcome->body);
    return Judgement{};
  };
  Call::start(context, std::move(plan), std::move(stop),
              [token = context.in_flight.token(), answer, done = std::move(done)](CallEnd end) mutable {
                // Whatever the server said, an upload goes on without; only the caller's own stop is told.
                if (end.verdict != Verdict::kSuccess && end.error.code == ErrorCode::kCancelled)
                  return done(tl::unexpected(std::move(end.error)));
                done(std::move(*answer));
              });
}

void ask_xorb_exists(HttpContext& context, const XorbHash& xorb, std::stop_token stop, Callback<bool> done) {
  CallPlan plan;
  plan.route = Route::kFileSize;
  plan.label = "HEAD /v1/xorbs/{prefix}/{xorb}";
  plan.request = [url = context.url(fmt::format("/v1/xorbs/{}/{}", context.options.prefix, xorb.hex()))] {
    net::Request request;
    request.method = "HEAD";
    request.url = url;
    return request;
  };
  Call::start(context, std::move(plan), std::move(stop),
              [token = context.in_flight.token(), xorb, done = std::move(done)](const CallEnd& end) mutable {
                if (end.verdict == Verdict::kSuccess) return done(true);
                if (end.error.code == ErrorCode::kNotFound) return done(false);
                done(failed(end, "xorb " + xorb.hex()));
              });
}

void ask_token(HttpContext& context, std::stop_token stop, Callback<TokenAnswer> done) {
  const auto& credentials = context.options.credentials;
  CallPlan plan;
  plan.route = Route::kToken;
  plan.label = "GET " + net::without_secrets(credentials.refresh_url) + " (access token)";
  plan.authorized = false;
  plan.has_standing_headers = false;
  plan.request = [&credentials] {
    net::Request request;
    request.url = credentials.refresh_url;
    request.headers = credentials.refresh_headers;
    request.max_body_bytes = kMaxTokenAnswerBytes;
    return request;
  };
  auto parsed = parse_into<TokenAnswer>(plan, [](ByteSpan json) {
    auto answer = parse_token_answer(json);
    // Not content of the store: a route that has its bad day, or another program at its address.
    if (!answer) answer.error().code = ErrorCode::kUnavailable;
    return answer;
  });
  Call::start(context, std::move(plan), std::move(stop),
              [token = context.in_flight.token(), parsed, done = std::move(done)](CallEnd end) mutable {
                if (end.verdict == Verdict::kSuccess) return done(std::move(**parsed));
                done(tl::unexpected(std::move(end.error)));
              });
}

}  // namespace xet::cas
