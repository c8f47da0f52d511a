#include "cas/grant.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "cas/http_range.h"

namespace xet::cas {

namespace {

using nlohmann::json;

constexpr size_t kMaxGrantHeaders = 64;

tl::unexpected<Error> bad(std::string_view what) {
  return fail(ErrorCode::kCorruption, fmt::format("the upload grant is wrong: {}", what));
}

Result<std::string> text_member(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_string()) return bad(fmt::format("\"{}\" is no string", name));
  return found->get<std::string>();
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c > 0x20 && c < 0x7f && std::string_view("\"(),/:;<=>?@[\\]{}").find(c) == std::string_view::npos;
  });
}
bool is_header_value(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c == '\t' || (c >= 0x20 && c < 0x7f); });
}

}  // namespace

std::string grant_request(uint64_t length_bytes, uint64_t crc64) {
  return fmt::format(R"({{"length":{},"checksum":{{"algo":"crc64nvme","value":"{}"}}}})", length_bytes,
                     crc64);
}

Result<UploadGrant> parse_grant(ByteSpan text) {
  const auto chars = as_chars(text);
  const auto object = json::parse(chars.begin(), chars.end(), nullptr, false);
  if (!object.is_object()) return bad("no JSON object");
  UploadGrant out;
  XET_TRY(out.id, text_member(object, "id"));
  XET_TRY(out.method, text_member(object, "method"));
  XET_TRY(out.url, text_member(object, "url"));
  const auto headers = object.find("headers");
  if (headers == object.end() || !headers->is_object()) return bad("\"headers\" is no object");
  for (const auto& [name, value] : headers->items()) {
    if (!value.is_string()) return bad("a header is no string");
    out.headers.push_back({name, value.get<std::string>()});
  }
  return out;
}

bool is_usable(const UploadGrant& grant, uint64_t length_bytes) {
  if (!is_token(grant.method) || grant.headers.size() > kMaxGrantHeaders) return false;
  if (!grant.url.starts_with("http://") && !grant.url.starts_with("https://")) return false;
  if (!std::all_of(grant.url.begin(), grant.url.end(), [](char c) { return c > 0x20 && c < 0x7f; }))
    return false;
  const bool are_headers = std::all_of(grant.headers.begin(), grant.headers.end(), [](const auto& header) {
    return is_token(header.name) && is_header_value(header.value);
  });
  if (!are_headers) return false;
  // A length that is not the body's would break the connection.
  const auto length = net::find_header(grant.headers, "Content-Length");
  return (!length || parse_decimal(*length) == length_bytes) &&
         !net::find_header(grant.headers, "Transfer-Encoding");
}

}  // namespace xet::cas
