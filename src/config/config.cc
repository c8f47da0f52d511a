#include "xet/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/text.h"
#include "base/try.h"
#include "config/fields.h"
#include "config/printed.h"
#include "config/values.h"

namespace xet {

namespace {

using config::Row;
using Environment = Config::Environment;
using Field = Config::Field;
using Kind = Config::Kind;
using Value = Config::Value;

constexpr std::string_view kPrefix = "HF_XET_";

std::string variable_of(const Field& field) {
  std::string out = fmt::format("{}{}_{}", kPrefix, field.group, field.name);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return out;
}

size_t index_of(const Field& field) {
  const auto all = Config::fields();
  const auto index = static_cast<size_t>(&field - all.data());
  XET_CHECK(index < all.size());
  return index;
}

/// A variable that is set to text counts; what is no text is as if it were not there.
Environment::const_iterator find_text(const Environment& environment, const std::string& name) {
  const auto found = environment.find(name);
  return found != environment.end() && is_utf8(found->second) ? found : environment.end();
}

/// The variable that decides about a field: its own, or else the first of its aliases that is set.
Environment::const_iterator find_variable(const Environment& environment, const Row& row) {
  auto found = find_text(environment, variable_of(row.field));
  for (const auto alias : row.aliases) {
    if (found != environment.end() || alias.empty()) break;
    found = find_text(environment, fmt::format("{}{}", kPrefix, alias));
  }
  return found;
}

bool is_true(const Environment& environment, const char* name) {
  const auto found = environment.find(name);
  return found != environment.end() && config::parse_bool(found->second).value_or(false);
}

bool is_high_performance(const Environment& environment) {
  const char* name =
      environment.contains("HF_XET_HIGH_PERFORMANCE") ? "HF_XET_HIGH_PERFORMANCE" : "HF_XET_HP";
  return is_true(environment, name);
}

/// Text of the table or of the environment, where blank means that an optional field has no value.
Result<Value> read_value(const Field& field, std::string_view text) {
  if (field.optional && config::trimmed(text).empty()) return Value();
  return config::parse_value(field, text);
}

Value preset_of(const Row& row, bool high_performance, std::optional<uint64_t> memory_bytes) {
  if (row.share && memory_bytes) return config::memory_share(*row.share, *memory_bytes, high_performance);
  const bool other = high_performance && !row.high_performance.empty();
  auto value = read_value(row.field, other ? row.high_performance : row.preset);
  XET_CHECK(value.has_value());
  return *std::move(value);
}

std::optional<std::string> without_effect(std::string_view name, std::string_view why) {
  if (why.empty()) return std::nullopt;
  return fmt::format("{} has no effect: {}", name, why);
}

/// For a variable that begins with kPrefix: what to say of it, whatever it is set to.
std::optional<std::string> warning_for(std::string_view name) {
  const std::string_view rest = name.substr(kPrefix.size());
  for (const auto& row : config::rows()) {
    const bool is_alias = std::find(row.aliases.begin(), row.aliases.end(), rest) != row.aliases.end();
    if (!is_alias && variable_of(row.field) != name) continue;
    if (row.field.acts()) return std::nullopt;
    return without_effect(name, row.field.effect.substr(config::kNoEffect.size()));
  }
  for (const auto& other : config::other_variables()) {
    if (other.name == rest) return without_effect(name, other.why_without_effect);
  }
  return fmt::format("{} is not a setting that this program knows", name);
}

std::string_view name_of(Kind kind) {
  switch (kind) {
    case Kind::kInteger:
      return "a whole number";
    case Kind::kFloat:
      return "a number";
    case Kind::kBool:
      return "true or false";
    case Kind::kText:
    case Kind::kChoice:
    case Kind::kPath:
      return "text";
    case Kind::kBytes:
      return "a number of bytes";
    case Kind::kDuration:
      return "a duration";
  }
  return "";
}

/// The type that a kind's values have.
bool has_type_of(Kind kind, const Value& value) {
  switch (kind) {
    case Kind::kInteger:
    case Kind::kBytes:
      return std::holds_alternative<uint64_t>(value);
    case Kind::kFloat:
      return std::holds_alternative<double>(value);
    case Kind::kBool:
      return std::holds_alternative<bool>(value);
    case Kind::kDuration:
      return std::holds_alternative<std::chrono::nanoseconds>(value);
    case Kind::kText:
    case Kind::kChoice:
    case Kind::kPath:
      return std::holds_alternative<std::string>(value);
  }
  return false;
}

template <class T>
const T& value_at(const Config& config, std::string_view path) {
  const auto field = Config::field(path);
  XET_CHECK(field.has_value());
  const T* value = std::get_if<T>(&config.get(**field));
  XET_CHECK(value != nullptr);
  return *value;
}

template <class T>
std::optional<T> optional_value_at(const Config& config, std::string_view path) {
  const auto field = Config::field(path);
  XET_CHECK(field.has_value());
  if (std::holds_alternative<std::monostate>(config.get(**field))) return std::nullopt;
  return value_at<T>(config, path);
}

}  // namespace

std::string Config::Field::path() const {
  return fmt::format("{}.{}", group, name);
}

bool Config::Field::acts() const {
  return !effect.starts_with(config::kNoEffect);
}

Config::Config() = default;

Config Config::defaults() {
  return from_environment(Environment());
}

Config Config::from_environment(const Environment& environment, std::optional<uint64_t> memory_bytes) {
  Config out;
  const bool high_performance = is_high_performance(environment);
  if (is_true(environment, "HF_XET_DISABLE_MEMORY_DERIVED_DOWNLOAD_BUFFERS")) memory_bytes.reset();
  for (const auto& row : config::rows()) {
    auto& value = out.values_.emplace_back(preset_of(row, high_performance, memory_bytes));
    const auto found = find_variable(environment, row);
    if (found == environment.end()) continue;
    if (auto given = read_value(row.field, found->second)) {
      value = *std::move(given);
    } else if (row.field.acts()) {
      auto warning = fmt::format("{} has a value that cannot be understood and is not used", found->first);
      if (std::find(out.warnings_.begin(), out.warnings_.end(), warning) == out.warnings_.end())
        out.warnings_.push_back(std::move(warning));
    }
  }

  const auto value_of = [&](std::string_view path) -> Value& {
    const auto at = field(path);
    XET_CHECK(at.has_value());
    return out.values_[index_of(**at)];
  };
  auto& limit = value_of("reconstruction.download_buffer_limit");
  limit = std::max(limit, value_of("reconstruction.download_buffer_size"));
  for (const char* name : {"HF_HUB_DISABLE_TELEMETRY", "DISABLE_TELEMETRY", "DO_NOT_TRACK", "HF_HUB_OFFLINE",
                           "TRANSFORMERS_OFFLINE"}) {
    if (is_true(environment, name)) value_of("telemetry.enabled") = false;
  }

  for (auto it = environment.lower_bound(std::string(kPrefix));
       it != environment.end() && it->first.starts_with(kPrefix); ++it) {
    if (auto warning = warning_for(it->first)) out.warnings_.push_back(*std::move(warning));
  }
  return out;
}

Result<const Field*> Config::field(std::string_view path) {
  const size_t dot = path.find('.');
  if (dot == std::string_view::npos) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("Invalid config path '{}': expected 'group.field' format", path));
  }
  const std::string_view group = path.substr(0, dot);
  const std::string_view name = path.substr(dot + 1);
  bool is_group = false;
  for (const auto& candidate : fields()) {
    if (candidate.group != group) continue;
    if (candidate.name == name) return &candidate;
    is_group = true;
  }
  return fail(ErrorCode::kInvalidArgument, is_group ? fmt::format("Unknown config field: '{}'", name)
                                                    : fmt::format("Unknown config group: '{}'", group));
}

bool Config::accepts(const Field& field, const Value& value) {
  if (std::holds_alternative<std::monostate>(value)) return field.optional;
  return std::holds_alternative<std::string>(value) || has_type_of(field.kind, value);
}

Result<Value> Config::get(std::string_view path) const {
  XET_TRY(const Field* at, field(path));
  return get(*at);
}

const Value& Config::get(const Field& field) const {
  return values_[index_of(field)];
}

Result<Config> Config::with(std::string_view path, const Value& value) const {
  XET_TRY(const Field* at, field(path));
  if (!accepts(*at, value))
    return fail(ErrorCode::kInvalidArgument, fmt::format("{} has to be {}", path, name_of(at->kind)));
  const auto* text = std::get_if<std::string>(&value);
  XET_TRY(auto fitting, text ? config::parse_value(*at, *text) : config::fit_value(*at, value));
  Config out = *this;
  out.values_[index_of(*at)] = std::move(fitting);
  return out;
}

uint64_t Config::count(std::string_view path) const {
  return value_at<uint64_t>(*this, path);
}

std::optional<uint64_t> Config::optional_count(std::string_view path) const {
  return optional_value_at<uint64_t>(*this, path);
}

double Config::number(std::string_view path) const {
  return value_at<double>(*this, path);
}

bool Config::flag(std::string_view path) const {
  return value_at<bool>(*this, path);
}

std::chrono::nanoseconds Config::duration(std::string_view path) const {
  return value_at<std::chrono::nanoseconds>(*this, path);
}

const std::string& Config::text(std::string_view path) const {
  return value_at<std::string>(*this, path);
}

std::optional<std::string> Config::optional_text(std::string_view path) const {
  return optional_value_at<std::string>(*this, path);
}

std::string Config::to_text(const Field& field, const Value& value) {
  struct Printer {
    const Field& field;
    std::string operator()(std::monostate) const { return "None"; }
    std::string operator()(bool flag) const { return flag ? "true" : "false"; }
    std::string operator()(uint64_t count) const {
      return field.kind == Kind::kBytes ? config::debug_bytes(count) : std::to_string(count);
    }
    std::string operator()(double number) const {
      return field.bits == 32 ? config::debug_number(static_cast<float>(number))
                              : config::debug_number(number);
    }
    std::string operator()(const std::string& text) const { return config::debug_text(text); }
    std::string operator()(std::chrono::nanoseconds duration) const {
      return config::debug_duration(duration);
    }
  };
  auto text = std::visit(Printer{field}, value);
  const bool is_some = field.optional && !std::holds_alternative<std::monostate>(value);
  return is_some ? fmt::format("Some({})", text) : text;
}

std::string Config::to_string() const {
  std::string out = "XetConfig {";
  std::string_view group;
  for (const auto& at : fields()) {
    if (at.group != group) {
      out += fmt::format("{} {}: ConfigValueGroup {{", group.empty() ? "" : " },", at.group);
    } else {
      out += ',';
    }
    group = at.group;
    out += fmt::format(" {}: {}", at.name, to_text(at, get(at)));
  }
  return out + " } }";
}

}  // namespace xet
