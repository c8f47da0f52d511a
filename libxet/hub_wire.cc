#include "libxet/hub_wire.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <unordered_map>
#include <utility>

#include "base/base64.h"
#include "base/text.h"
#include "base/try.h"
#include "cas/context.h"
#include "net/url.h"

namespace xet::hub_wire {

namespace {

using Json = nlohmann::json;

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kLines = "application/x-ndjson";

std::string_view plural(HubKind kind) {
  switch (kind) {
    case HubKind::kModel:
      return "models";
    case HubKind::kDataset:
      return "datasets";
    case HubKind::kSpace:
      return "spaces";
    case HubKind::kBucket:
      return "buckets";
  }
  return "models";
}

tl::unexpected<Error> bad(std::string_view what) {
  return fail(ErrorCode::kCorruption, fmt::format("the answer of the Hub {}", what));
}

Result<Json> parse(ByteSpan json) {
  auto out = Json::parse(as_chars(json), nullptr, /*allow_exceptions=*/false);
  if (out.is_discarded()) return bad("is not JSON");
  return out;
}

/// A member that may be missing or null.
const Json* member(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto at = object.find(name);
  return at == object.end() || at->is_null() ? nullptr : &*at;
}

/// Empty when it is missing or no text.
std::string text_or_empty(const Json& object, const char* name) {
  const Json* at = member(object, name);
  return at != nullptr && at->is_string() ? at->get<std::string>() : std::string();
}

Result<HubFile> file_of(const Json& entry) {
  HubFile out;
  out.path = text_or_empty(entry, "path");
  const Json* size = member(entry, "size");
  if (size == nullptr || !size->is_number_unsigned()) return bad("has a file without a size");
  out.size_bytes = size->get<uint64_t>();
  out.git_id = text_or_empty(entry, "oid");
  if (const std::string hash = text_or_empty(entry, "xetHash"); !hash.empty()) {
    out.file = FileHash::from_hex(hash);
    if (!out.file) return bad("has an xetHash that is no hash");
  }
  if (const Json* lfs = member(entry, "lfs")) {
    out.sha256 = Sha256Digest::from_hex(text_or_empty(*lfs, "oid"));
    if (!out.sha256) return bad("has an LFS file without a SHA-256");
  }
  return out;
}

void add_line(std::string& out, const Json& line) {
  // Names may be any bytes; what is not UTF-8 cannot be said in JSON, and the Hub refuses the replacement.
  out += line.dump(-1, ' ', false, Json::error_handler_t::replace);
  out += '\n';
}

}  // namespace

std::string api(const HubAddress& address, std::string_view rest) {
  return fmt::format("/api/{}/{}{}", plural(address.kind), address.name, rest);
}

std::string resolve(const HubAddress& address, std::string_view commit, std::string_view path) {
  const std::string place = percent_encode(path);
  switch (address.kind) {
    case HubKind::kModel:
      return fmt::format("/{}/resolve/{}/{}", address.name, net::percent_encode_segment(commit), place);
    case HubKind::kDataset:
    case HubKind::kSpace:
      return fmt::format("/{}/{}/resolve/{}/{}", plural(address.kind), address.name,
                         net::percent_encode_segment(commit), place);
    case HubKind::kBucket:
      return fmt::format("/buckets/{}/resolve/{}", address.name, place);
  }
  return {};
}

std::string tree(const HubAddress& address, std::string_view commit, std::string_view folder) {
  const std::string at =
      address.kind == HubKind::kBucket ? "" : fmt::format("/{}", net::percent_encode_segment(commit));
  const std::string below = folder.empty() ? "" : fmt::format("/{}", net::percent_encode_segment(folder));
  return api(address, fmt::format("/tree{}{}?recursive=true", at, below));
}

Result<std::vector<Entry>> parse_entries(ByteSpan json) {
  XET_TRY(const Json list, parse(json));
  if (!list.is_array()) return bad("is no list of files");
  std::vector<Entry> out;
  out.reserve(list.size());
  for (const auto& each : list) {
    Entry entry;
    const std::string type = text_or_empty(each, "type");
    entry.file.path = text_or_empty(each, "path");
    if (entry.file.path.empty()) return bad("has an entry without a path");
    entry.is_folder = type == "directory";
    if (type == "file") {
      XET_TRY(entry.file, file_of(each));
    } else if (!entry.is_folder) {
      continue;  // whatever comes later
    }
    out.push_back(std::move(entry));
  }
  return out;
}

std::optional<std::string> next_page(const net::Headers& headers) {
  const auto link = net::find_header(headers, "Link");
  if (!link) return std::nullopt;
  std::string_view rest = *link;
  // <URL>; name=value; …, <URL>; …
  while (true) {
    const size_t open = rest.find('<');
    const size_t close = rest.find('>', open == rest.npos ? 0 : open);
    if (open == rest.npos || close == rest.npos) return std::nullopt;
    const std::string_view url = rest.substr(open + 1, close - open - 1);
    rest.remove_prefix(close + 1);
    const std::string_view parameters = rest.substr(0, rest.find('<'));
    if (parameters.find("rel=\"next\"") != parameters.npos) return std::string(url);
  }
}

Body create(const HubAddress& address) {
  if (address.kind == HubKind::kBucket) return {std::string(kJson), "{}"};
  const size_t slash = address.name.find('/');
  std::string_view type = plural(address.kind);
  type.remove_suffix(1);
  Json body{{"name", address.name.substr(slash + 1)},
            {"organization", address.name.substr(0, slash)},
            {"type", type}};
  if (address.kind == HubKind::kSpace) body["sdk"] = "static";
  return {std::string(kJson), body.dump()};
}

Body paths_info(const HubAddress& address, std::string_view path) {
  if (address.kind == HubKind::kBucket) {
    const Json body{{"paths", Json::array({path})}};
    return {std::string(kJson), body.dump(-1, ' ', false, Json::error_handler_t::replace)};
  }
  return {"application/x-www-form-urlencoded",
          fmt::format("paths={}&expand=false", net::percent_encode_segment(path))};
}

Body preupload(std::span<const HubCandidate> candidates) {
  Json files = Json::array();
  for (const auto& each : candidates)
    files.push_back({{"path", each.path}, {"size", each.size_bytes}, {"sample", to_base64(each.sample)}});
  const Json body{{"files", std::move(files)}};
  return {std::string(kJson), body.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

Body commit(std::span<const HubAddition> additions, std::string_view message) {
  Body out{std::string(kLines), {}};
  add_line(out.text, {{"key", "header"}, {"value", {{"summary", message}, {"description", ""}}}});
  for (const auto& each : additions) {
    if (each.content) {
      add_line(
          out.text,
          {{"key", "file"},
           {"value", {{"path", each.path}, {"content", to_base64(*each.content)}, {"encoding", "base64"}}}});
    } else {
      const auto sha256 = each.sha256.value_or(Sha256Digest{});
      add_line(
          out.text,
          {{"key", "lfsFile"},
           {"value",
            {{"path", each.path}, {"algo", "sha256"}, {"oid", sha256.hex()}, {"size", each.size_bytes}}}});
    }
  }
  return out;
}

Body batch(std::span<const HubAddition> additions) {
  Body out{std::string(kLines), {}};
  for (const auto& each : additions) {
    add_line(out.text, {{"type", "addFile"},
                        {"path", each.path},
                        {"xetHash", each.file.hex()},
                        {"mtime", each.modified_ms}});
  }
  return out;
}

Result<std::vector<HubTreatment>> parse_treatment(ByteSpan json, std::span<const HubCandidate> candidates) {
  XET_TRY(const Json answer, parse(json));
  const Json* files = member(answer, "files");
  if (files == nullptr || !files->is_array()) return bad("does not say how files are uploaded");
  std::unordered_map<std::string, HubTreatment> by_path;
  for (const auto& each : *files) {
    HubTreatment treatment;
    treatment.is_regular = text_or_empty(each, "uploadMode") == "regular";
    const Json* ignored = member(each, "shouldIgnore");
    treatment.is_ignored = ignored != nullptr && ignored->is_boolean() && ignored->get<bool>();
    treatment.current_id = text_or_empty(each, "oid");
    by_path.insert_or_assign(text_or_empty(each, "path"), std::move(treatment));
  }
  std::vector<HubTreatment> out;
  out.reserve(candidates.size());
  for (const auto& each : candidates) {
    const auto found = by_path.find(each.path);
    if (found == by_path.end()) return bad("leaves out a file that it was asked about");
    out.push_back(found->second);
  }
  return out;
}

Result<std::string> parse_member(ByteSpan json, const char* name) {
  XET_TRY(const Json answer, parse(json));
  std::string out = text_or_empty(answer, name);
  if (out.empty()) return bad(fmt::format("has no '{}'", name));
  return out;
}

Status check_batch(ByteSpan json) {
  XET_TRY(const Json answer, parse(json));
  const Json* failed = member(answer, "failed");
  if (failed == nullptr || !failed->is_array() || failed->empty()) return {};
  const auto& first = failed->front();
  return fail(ErrorCode::kRefused, fmt::format("the Hub refused {} of the files; the first, {}: {}",
                                               failed->size(), cas::one_line(text_or_empty(first, "path")),
                                               cas::one_line(text_or_empty(first, "error"))));
}

}  // namespace xet::hub_wire
