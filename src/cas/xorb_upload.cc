#include "cas/xorb_upload.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cas/call.h"
#include "cas/json_members.h"
#include "codec/crc64.h"
#include "net/url.h"

namespace xet::cas {

using net::Fault;
using net::Route;
using net::Verdict;

namespace {

// A server that offers no grants, or a storage host that cannot be reached, is asked again after this.
constexpr std::chrono::minutes kWithoutGrants{5};

/// Nobody answered there: the next xorb would wait as long for nothing.
bool is_unreachable(Fault fault) {
  return fault == Fault::kResolve || fault == Fault::kConnect || fault == Fault::kTls ||
         fault == Fault::kCertificate || fault == Fault::kNoAnswer;
}

bool is_segment(const std::string& id) {
  return !id.empty() && id != "." && id != "..";
}

}  // namespace

XorbUpload::XorbUpload(HttpContext& context, XorbBody body, std::stop_token stop,
                       Callback<PutXorbOutcome> done)
    : context_(context),
      in_flight_(context.in_flight.token()),
      body_(std::move(body)),
      stop_(std::move(stop)),
      done_(std::move(done)) {}

void XorbUpload::start(HttpContext& context, XorbBody body, std::stop_token stop,
                       Callback<PutXorbOutcome> done) {
  const auto upload =
      std::make_shared<XorbUpload>(context, std::move(body), std::move(stop), std::move(done));
  if (context.options.legacy_direct_xorb_upload) return upload->acquire();
  // Milliseconds of work, and the caller is a pipeline's strand.
  context.submit([upload] { upload->sum_up(); });
}

void XorbUpload::sum_up() {
  codec::Crc64 crc;
  for (const auto& piece : body_.pieces) crc.update(piece);
  grant_request_ = grant_request(body_.size_bytes, crc.value());
  acquire();
}

void XorbUpload::acquire() {
  context_.uploads.acquire(stop_, [self = shared_from_this()](net::Permit permit) {
    if (!permit) return self->finish(fail(ErrorCode::kCancelled, "cancelled"));
    self->permit_ = std::move(permit);
    const bool asks = !self->context_.options.legacy_direct_xorb_upload &&
                      self->context_.options.clock->now() >= *self->context_.no_grants_until.lock();
    asks ? self->ask_for_grant() : self->post();
  });
}

void XorbUpload::ask_for_grant() {
  CallPlan plan;
  plan.route = Route::kGrant;
  plan.label = "POST /v1/xorb-grants/{prefix}/{xorb}";
  plan.request = [self = shared_from_this()] {
    net::Request request;
    request.method = "POST";
    request.url = self->context_.url(
        fmt::format("/v1/xorb-grants/{}/{}", self->context_.options.prefix, self->body_.hash.hex()));
    request.headers.push_back({"Content-Type", "application/json"});
    request.body = {as_byte_span(self->grant_request_)};
    request.has_body = true;
    request.max_body_bytes = kMaxGrantBytes;
    return request;
  };
  auto grant = std::make_shared<std::optional<UploadGrant>>();
  plan.judge = [grant](net::Outcome& outcome) -> std::optional<Judgement> {
    if (!outcome || outcome->head.status != 201) return std::nullopt;
    auto parsed = parse_grant(outcome->body);
    if (!parsed) return Judgement{Verdict::kRetry, std::move(parsed).error()};
    *grant = std::move(*parsed);
    return Judgement{};
  };
  Call::start(context_, std::move(plan), stop_, [self = shared_from_this(), grant](const CallEnd& end) {
    switch (end.verdict) {
      case Verdict::kSuccess:
        if (*grant) return self->use(std::move(**grant));
        return self->finish(PutXorbOutcome{.was_inserted = false, .sent_bytes = self->sent_bytes_});
      case Verdict::kFallBack:
        self->go_without_grants_for_a_while();
        return self->post();
      default:
        return self->fail_with(end.error);
    }
  });
}

void XorbUpload::use(UploadGrant from) {
  if (!is_segment(from.id)) {
    return fail_with({ErrorCode::kCorruption, "the upload grant has an id that cannot stand in a path"});
  }
  if (!is_usable(from, body_.size_bytes)) return post();
  auto grant = std::make_shared<const UploadGrant>(std::move(from));
  CallPlan plan;
  plan.route = Route::kGrantUpload;
  plan.label = grant->method + " (upload grant)";
  plan.authorized = false;
  plan.permit = &permit_;
  plan.on_sent = body_.on_sent;
  plan.request = [self = shared_from_this(), grant] {
    net::Request request;
    request.method = grant->method;
    request.url = grant->url;
    for (const auto& header : grant->headers) {
      // the transport sends the length itself
      if (net::find_header({header}, "Content-Length")) continue;
      request.headers.push_back(header);
    }
    return self->with_body(std::move(request));
  };
  auto is_out_of_reach = std::make_shared<bool>(false);
  plan.judge = [is_out_of_reach](net::Outcome& outcome) -> std::optional<Judgement> {
    *is_out_of_reach = !outcome && is_unreachable(outcome.error().fault);
    // A storage's text may quote what was signed.
    if (outcome) outcome->body.clear();
    return std::nullopt;
  };
  Call::start(context_, std::move(plan), stop_,
              [self = shared_from_this(), grant, is_out_of_reach](const CallEnd& end) {
                switch (end.verdict) {
                  case Verdict::kSuccess:
                    self->sent_bytes_ += self->body_.size_bytes;
                    return self->commit(grant->id);
                  case Verdict::kNewGrant:
                    return self->next_grant();
                  case Verdict::kFallBack:
                    if (*is_out_of_reach) self->go_without_grants_for_a_while();
                    self->context_.trouble(end.error.message + "; sending the xorb to the CAS itself");
                    return self->post();
                  default:
                    return self->fail_with(end.error);
                }
              });
}

void XorbUpload::commit(const std::string& id) {
  CallPlan plan;
  plan.route = Route::kCommit;
  plan.label = "POST /v1/xorb-commits/{prefix}/{xorb}/grant/{id}";
  plan.request = [self = shared_from_this(), id] {
    net::Request request;
    request.method = "POST";
    request.url =
        self->context_.url(fmt::format("/v1/xorb-commits/{}/{}/grant/{}", self->context_.options.prefix,
                                       self->body_.hash.hex(), net::percent_encode_segment(id)));
    return request;
  };
  Call::start(context_, std::move(plan), stop_, [self = shared_from_this()](const CallEnd& end) {
    switch (end.verdict) {
      case Verdict::kSuccess:
        return self->finish(PutXorbOutcome{.was_inserted = true, .sent_bytes = self->sent_bytes_});
      case Verdict::kNewGrant:
        return self->next_grant();
      default:
        return self->fail_with(end.error);
    }
  });
}

void XorbUpload::next_grant() {
  const size_t most = std::max<size_t>(context_.options.max_xorb_grant_attempts, 1);
  ++n_grants_ < most ? ask_for_grant() : post();
}

void XorbUpload::post() {
  CallPlan plan;
  plan.route = Route::kXorbUpload;
  plan.label = "POST /v1/xorbs/{prefix}/{xorb}";
  plan.permit = &permit_;
  plan.on_sent = body_.on_sent;
  plan.request = [self = shared_from_this()] {
    net::Request request;
    request.method = "POST";
    request.url = self->context_.url(
        fmt::format("/v1/xorbs/{}/{}", self->context_.options.prefix, self->body_.hash.hex()));
    return self->with_body(std::move(request));
  };
  auto was_inserted = std::make_shared<bool>(false);
  plan.judge = [was_inserted](net::Outcome& outcome) -> std::optional<Judgement> {
    if (!outcome || !outcome->is_success()) return std::nullopt;
    const auto answer = JsonMembers::parse(outcome->body, "the answer to a xorb");
    const auto flag = answer ? answer->flag("was_inserted") : Result<bool>(tl::unexpected(answer.error()));
    if (!flag) return Judgement{Verdict::kRetry, flag.error()};
    *was_inserted = *flag;
    return Judgement{};
  };
  Call::start(context_, std::move(plan), stop_,
              [self = shared_from_this(), was_inserted](const CallEnd& end) {
                if (end.verdict != Verdict::kSuccess) return self->fail_with(end.error);
                self->finish(PutXorbOutcome{.was_inserted = *was_inserted,
                                            .sent_bytes = self->sent_bytes_ + self->body_.size_bytes});
              });
}

net::Request XorbUpload::with_body(net::Request request) const {
  request.body = body_.pieces;
  request.has_body = true;
  return request;
}

void XorbUpload::go_without_grants_for_a_while() {
  *context_.no_grants_until.lock() = context_.options.clock->now() + kWithoutGrants;
}

void XorbUpload::fail_with(const Error& error) {
  finish(fail(error, "xorb " + body_.hash.hex()));
}

void XorbUpload::finish(Result<PutXorbOutcome> outcome) {
  permit_.release();
  body_.on_sent = {};
  const auto in_flight = std::exchange(in_flight_, std::nullopt);
  auto done = std::move(done_);
  done(std::move(outcome));
}

}  // namespace xet::cas
