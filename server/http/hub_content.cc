#include "server/http/hub_content.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "server/http/multipart.h"

namespace xet::http {

namespace {

constexpr size_t kProbe = 8000;

bool is_head(const HubCall& call) {
  return call.request.head.method == "HEAD";
}

std::string quoted_etag(const Content& content) {
  return fmt::format("\"{}\"", content.etag);
}

bool is_known_to_client(const HubCall& call, const Content& content) {
  const auto& known = call.request.head.if_none_match;
  return known == "*" || known == quoted_etag(content) || known == "W/" + quoted_etag(content);
}

void add_common(Answer& answer, const Content& content) {
  for (const auto& header : content.headers) answer.headers.push_back(header);
  answer.headers.emplace_back("ETag", quoted_etag(content));
  answer.headers.emplace_back("Accept-Ranges", "bytes");
  answer.headers.emplace_back("X-Content-Type-Options", "nosniff");
  answer.headers.emplace_back("Content-Disposition",
                              fmt::format("inline; filename*=UTF-8''{}; filename={}",
                                          percent_encode(content.name), header_quoted(content.name)));
}

}  // namespace

WantedPart wanted_part(const RequestHead& head, uint64_t size, std::string_view quoted_etag) {
  const WantedPart whole{.kind = WantedPart::Kind::kWhole, .range = {.begin = 0, .end = size}};
  if (head.range.empty()) return whole;
  if (!head.if_range.empty() && head.if_range != quoted_etag) return whole;
  const auto specs = parse_range_header(head.range, 1);
  if (!specs) return whole;
  const auto range = specs->front().resolve(size);
  if (!range) return {.kind = WantedPart::Kind::kOutside, .range = {}};
  return {.kind = WantedPart::Kind::kPart, .range = *range};
}

Answer range_outside(uint64_t size) {
  Answer out = text_answer(416, "the range lies outside the file");
  out.headers.emplace_back("Content-Range", fmt::format("bytes */{}", size));
  return out;
}

Answer xet_content(const HubCall& call, const Content& content) {
  Answer out;
  add_common(out, content);
  out.headers.emplace_back("X-Linked-ETag", quoted_etag(content));
  out.headers.emplace_back("X-Linked-Size", fmt::format("{}", content.size_bytes));
  out.headers.emplace_back("X-Xet-Hash", content.xet.hex());
  out.headers.emplace_back(
      "Link",
      fmt::format("<{}>; rel=\"xet-auth\", <{}/v1/reconstructions/{}>; rel=\"xet-reconstruction-info\"",
                  content.token_url, call.request.base_url, content.xet.hex()));
  if (is_known_to_client(call, content)) {
    out.status = 304;
    return out;
  }
  if (is_head(call)) {
    out.content_type = kBytes;
    out.content_length = content.size_bytes;
    return out;
  }
  const auto id = call.app.signer->file_id({.file = content.xet,
                                            .repository = call.repository.id,
                                            .size_bytes = content.size_bytes,
                                            .sha256 = content.sha256,
                                            .expires_at_s = call.app.expiry_of_urls()});
  out.status = 302;
  out.headers.emplace_back(
      "Location", fmt::format("{}/bridge/{}/{}", call.request.base_url, id, percent_encode(content.name)));
  return out;
}

Answer content_answer(const HubCall& call, const Content& content, ByteSpan bytes) {
  Answer out;
  add_common(out, content);
  if (is_known_to_client(call, content)) {
    out.status = 304;
    return out;
  }
  out.content_type = kBytes;
  if (is_head(call)) {
    out.content_length = content.size_bytes;
    return out;
  }
  const auto part = wanted_part(call.request.head, content.size_bytes, quoted_etag(content));
  if (part.kind == WantedPart::Kind::kOutside) return range_outside(content.size_bytes);
  if (part.kind == WantedPart::Kind::kPart) {
    out.status = 206;
    out.headers.emplace_back("Content-Range", content_range(part.range, content.size_bytes));
  }
  // To show text in a browser is safe with nosniff; anything else is saved.
  const auto probe = bytes.first(std::min(bytes.size(), kProbe));
  if (std::ranges::find(probe, std::byte{0}) == probe.end()) out.content_type = kText;
  const auto wanted = bytes.subspan(part.range.begin, part.range.size());
  out.body = ByteVector(wanted.begin(), wanted.end());
  return out;
}

}  // namespace xet::http
