#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "server/http/answer.h"
#include "server/http/hub_call.h"
#include "server/hub/refusal.h"

namespace xet::http {

using Json = nlohmann::json;

Answer json_answer(const Json& json);

/// kInvalid unless the body is one JSON object.
hub::Outcome<Json> json_body(const Request& request);
/// One JSON object per line; empty lines are passed over. kInvalid, kTooLarge.
hub::Outcome<std::vector<Json>> json_lines(ByteSpan body, size_t max_lines);

/// Members of an object from a client. kInvalid, naming it, when it has another type, or is missing where it
/// must be there.
hub::Outcome<std::string> text_member(const Json& object, const char* name);
hub::Outcome<std::optional<std::string>> optional_text(const Json& object, const char* name);
hub::Outcome<std::vector<std::string>> text_list(const Json& object, const char* name);
hub::Outcome<std::optional<int64_t>> optional_number(const Json& object, const char* name);

/// What "private" or "visibility" says; false when neither is there.
hub::Outcome<bool> wants_private(const Json& body);

}  // namespace xet::http
