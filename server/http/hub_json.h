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

/// A member that must be there.
hub::Outcome<Sha256Digest> sha256_member(const Json& object, const char* name);
hub::Outcome<uint64_t> size_member(const Json& object);

/// A repository that a request names.
struct NamedRepository {
  store::RepositoryType type = store::RepositoryType::kModel;
  std::string name_space;
  std::string name;

  store::RepositoryName view() const { return {.type = type, .name_space = name_space, .name = name}; }
};
/// The member "NAMESPACE/NAME" of an object.
hub::Outcome<NamedRepository> repository_member(store::RepositoryType type, const Json& object,
                                                const char* name);
/// The type of that word. kInvalid for other words.
hub::Outcome<store::RepositoryType> known_type(std::string_view word);

/// One page of a listing, with the way to the next one.
Answer page_answer(const HubCall& call, const Json& items, const std::string& next);

/// What "private" or "visibility" says; false when neither is there.
hub::Outcome<bool> wants_private(const Json& body);

}  // namespace xet::http
