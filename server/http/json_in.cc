#include "server/http/json_in.h"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "base/try.h"
#include "server/http/target.h"

namespace xet::http {

namespace {

using Json = nlohmann::json;

tl::unexpected<Error> bad(std::string_view what) {
  return fail(ErrorCode::kInvalidArgument, std::string(what));
}

Json parse_json(ByteSpan bytes) {
  const auto text = as_chars(bytes);
  return Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
}

const std::string* text_member(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() ? nullptr : found->get_ptr<const std::string*>();
}

/// Collects hashes and remembers whether any was one.
class Collected {
 public:
  explicit Collected(size_t max) : max_(max) {}
  Status add(std::string_view hex) {
    if (++n_asked_ > max_) {
      return fail(ErrorCode::kRefused, fmt::format("more than {} files are asked for at once", max_));
    }
    if (const auto hash = FileHash::from_hex(hex)) hashes_.push_back(*hash);
    return {};
  }
  Result<std::vector<FileHash>> finish() {
    if (hashes_.empty() && n_asked_ > 0) return bad("none of the file ids is 64 hex digits");
    return std::move(hashes_);
  }

 private:
  size_t max_;
  size_t n_asked_ = 0;
  std::vector<FileHash> hashes_;
};

}  // namespace

Result<GrantRequest> GrantRequest::parse(ByteSpan json) {
  const Json body = parse_json(json);
  if (!body.is_object()) return bad("the body is no JSON object");
  GrantRequest out;
  const auto length = body.find("length");
  if (length == body.end() || !length->is_number_unsigned()) return bad("'length' is no number of bytes");
  out.length = length->get<uint64_t>();
  const auto checksum = body.find("checksum");
  if (checksum == body.end() || !checksum->is_object()) return bad("'checksum' is no object");
  const auto* algorithm = text_member(*checksum, "algo");
  if (!algorithm || *algorithm != "crc64nvme") return bad("'checksum.algo' is not \"crc64nvme\"");
  const auto* value = text_member(*checksum, "value");
  if (!value) return bad("'checksum.value' is no string");
  const char* const end = value->data() + value->size();
  const auto [parsed_to, error] = std::from_chars(value->data(), end, out.crc64);
  if (value->empty() || error != std::errc{} || parsed_to != end)
    return bad("'checksum.value' is no decimal number");
  return out;
}

Result<std::vector<FileHash>> parse_batch_body(ByteSpan json, size_t max) {
  const Json body = parse_json(json);
  if (!body.is_array()) return bad("the body is no JSON array");
  Collected out(max);
  for (const auto& element : body) {
    const auto* hash = element.is_object() ? text_member(element, "hash") : nullptr;
    if (!hash) return bad("an element of the array is no object with a 'hash'");
    XET_TRY_STATUS(out.add(*hash));
  }
  return out.finish();
}

Result<std::vector<FileHash>> parse_batch_query(std::string_view query, size_t max) {
  XET_TRY(const auto values, query_values(query, "file_id"));
  Collected out(max);
  for (const auto& value : values) XET_TRY_STATUS(out.add(value));
  return out.finish();
}

}  // namespace xet::http
