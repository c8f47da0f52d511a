#include "server/http/hub_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/try.h"
#include "server/core/repository_name.h"

namespace xet::http {

namespace {

using hub::Outcome;
using hub::Reason;
using hub::refuse;

// What is nested deeper is no request of ours, and would cost stack.
constexpr int kMaxDepth = 32;

Json parse(std::string_view text) {
  const auto not_too_deep = [](int depth, Json::parse_event_t, Json&) { return depth <= kMaxDepth; };
  return Json::parse(text.begin(), text.end(), not_too_deep, /*allow_exceptions=*/false);
}

}  // namespace

Answer json_answer(const Json& json) {
  return json_answer(json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

Outcome<Json> json_body(const Request& request) {
  Json out = parse(as_chars(request.body));
  if (!out.is_object()) return refuse(Reason::kInvalid, "the body is no JSON object");
  return out;
}

Outcome<std::vector<Json>> json_lines(ByteSpan body, size_t max_lines) {
  std::vector<Json> out;
  auto rest = as_chars(body);
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const auto line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    if (out.size() == max_lines) {
      return refuse(Reason::kTooLarge, fmt::format("the body has more than {} lines", max_lines));
    }
    out.push_back(parse(line));
    if (!out.back().is_object()) {
      return refuse(Reason::kInvalid, fmt::format("line {} of the body is no JSON object", out.size()));
    }
  }
  return out;
}

Outcome<std::string> text_member(const Json& object, const char* name) {
  XET_TRY(auto out, optional_text(object, name));
  if (!out) return refuse(Reason::kInvalid, fmt::format("'{}' is missing", name));
  return *std::move(out);
}

Outcome<std::optional<std::string>> optional_text(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return std::nullopt;
  if (!found->is_string()) return refuse(Reason::kInvalid, fmt::format("'{}' is no string", name));
  return found->get<std::string>();
}

Outcome<std::vector<std::string>> text_list(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_array()) {
    return refuse(Reason::kInvalid, fmt::format("'{}' is no array", name));
  }
  std::vector<std::string> out;
  for (const auto& element : *found) {
    if (!element.is_string())
      return refuse(Reason::kInvalid, fmt::format("'{}' has more than strings", name));
    out.push_back(element.get<std::string>());
  }
  return out;
}

Outcome<std::optional<int64_t>> optional_number(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return std::nullopt;
  if (found->is_number_unsigned() && found->get<uint64_t>() <= std::numeric_limits<int64_t>::max()) {
    return static_cast<int64_t>(found->get<uint64_t>());
  }
  if (found->is_number_integer() && !found->is_number_unsigned()) return found->get<int64_t>();
  // Times come as floating-point numbers from some.
  if (found->is_number_float()) {
    const double value = found->get<double>();
    if (value > -1e15 && value < 1e15) return static_cast<int64_t>(value);
  }
  return refuse(Reason::kInvalid, fmt::format("'{}' is no number that can be", name));
}

Outcome<Sha256Digest> sha256_member(const Json& object, const char* name) {
  XET_TRY(const auto text, text_member(object, name));
  const auto digest = Sha256Digest::from_hex(text);
  if (!digest) return refuse(Reason::kInvalid, fmt::format("'{}' is not 64 hex digits", name));
  return *digest;
}

Outcome<uint64_t> size_member(const Json& object) {
  XET_TRY(const auto size, optional_number(object, "size"));
  if (!size || *size < 0) return refuse(Reason::kInvalid, "'size' is no size");
  return static_cast<uint64_t>(*size);
}

Outcome<store::RepositoryType> known_type(std::string_view word) {
  const auto type = core::type_of_word(word);
  if (!type) return refuse(Reason::kInvalid, "the type is none of model, dataset, space and bucket");
  return *type;
}

Outcome<NamedRepository> repository_member(store::RepositoryType type, const Json& object, const char* name) {
  XET_TRY(const auto text, text_member(object, name));
  const size_t slash = text.find('/');
  if (slash == std::string::npos) {
    return refuse(Reason::kInvalid, fmt::format("'{}' is not NAMESPACE/NAME", name));
  }
  return NamedRepository{.type = type, .name_space = text.substr(0, slash), .name = text.substr(slash + 1)};
}

Answer page_answer(const HubCall& call, const Json& items, const std::string& next) {
  Answer out = json_answer(items);
  add_next_link(call, next, out);
  return out;
}

Outcome<bool> wants_private(const Json& body) {
  if (const auto found = body.find("private"); found != body.end() && !found->is_null()) {
    if (!found->is_boolean()) return refuse(Reason::kInvalid, "'private' is no boolean");
    return found->get<bool>();
  }
  XET_TRY(const auto visibility, optional_text(body, "visibility"));
  if (!visibility || *visibility == "public") return false;
  if (*visibility == "private" || *visibility == "protected") return true;
  return refuse(Reason::kInvalid, "'visibility' is neither public nor private");
}

}  // namespace xet::http
