#include "cas/json_members.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

namespace xet::cas {

using nlohmann::json;

/// Takes what the parser meets at depth 1.
class JsonMembersReader final : public nlohmann::json_sax<json> {
 public:
  explicit JsonMembersReader(JsonMembers& out) : out_(out) {}

  bool null() override { return take({}); }
  bool boolean(bool value) override { return take(value); }
  bool number_integer(number_integer_t /*negative*/) override { return take({}); }
  bool number_unsigned(number_unsigned_t value) override { return take(uint64_t{value}); }
  bool number_float(number_float_t /*value*/, const string_t& /*text*/) override { return take({}); }
  bool string(string_t& value) override { return take(std::move(value)); }
  bool binary(binary_t& /*value*/) override { return false; }
  bool start_object(size_t /*size*/) override { return enter(true); }
  bool start_array(size_t /*size*/) override { return enter(false); }
  bool end_object() override { return leave(); }
  bool end_array() override { return leave(); }
  bool key(string_t& name) override {
    if (depth_ != 1) return true;
    name_ = std::move(name);
    return !out_.members_.contains(name_);
  }
  bool parse_error(size_t /*at*/, const std::string& /*token*/,
                   const nlohmann::detail::exception& /*error*/) override {
    return false;
  }

 private:
  bool take(JsonMembers::Value value) {
    if (depth_ == 1) out_.members_.emplace(std::move(name_), std::move(value));
    return depth_ > 0;
  }
  bool enter(bool is_object) {
    if (depth_ == 1) out_.members_.emplace(std::move(name_), JsonMembers::Value{});
    return depth_++ > 0 || is_object;
  }
  bool leave() {
    --depth_;
    return true;
  }

  JsonMembers& out_;
  size_t depth_ = 0;
  std::string name_;
};

Result<JsonMembers> JsonMembers::parse(ByteSpan text, std::string_view what) {
  JsonMembers out;
  out.what_ = what;
  JsonMembersReader reader(out);
  const auto chars = as_chars(text);
  if (!json::sax_parse(chars.begin(), chars.end(), &reader)) {
    return fail(ErrorCode::kCorruption, fmt::format("{} is not the JSON object that was expected", what));
  }
  return out;
}

template <class T>
Result<T> JsonMembers::get(std::string_view name, std::string_view type) const {
  const auto found = members_.find(name);
  if (found == members_.end())
    return fail(ErrorCode::kCorruption, fmt::format("{}: \"{}\" is missing", what_, name));
  const T* value = std::get_if<T>(&found->second);
  if (value == nullptr)
    return fail(ErrorCode::kCorruption, fmt::format("{}: \"{}\" is not a {}", what_, name, type));
  return *value;
}

Result<std::string> JsonMembers::text(std::string_view name) const {
  return get<std::string>(name, "string");
}
Result<uint64_t> JsonMembers::number(std::string_view name) const {
  return get<uint64_t>(name, "number of at most 64 bits");
}
Result<bool> JsonMembers::flag(std::string_view name) const {
  return get<bool>(name, "boolean");
}

}  // namespace xet::cas
